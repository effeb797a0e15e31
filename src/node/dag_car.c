/* DAGs as CARs, out and in. */
#include <ipfsa/dag.h>
#include <ipfsa/pin.h>

#include "car/car.h"
#include "node/dag_walk.h"
#include "node/intake.h"

#define OUTPUT_FLUSH (1u << 19) /* bytes gathered before they are handed on: half of the processor's own cache */
#define PAGE 4096
#define READ_SIZE (1u << 20)    /* bytes read at a time, where all that is read is wanted here; */
#define HEAD_SIZE 4096          /* where large blocks are read by the workers, only what stands between them */
#define READ_AHEAD (8u << 20)   /* bytes asked for before the workers come to them */

typedef struct export_run {
  ipfsa_write_cb write;
  void *ctx;
  ipfsa_progress_cb progress;
  void *progress_ctx;
  ipfsa_progress at;
  uint8_t *room; /* OUTPUT_FLUSH bytes on a page border */
  size_t len;
  ipfsa_buf head;
  bool refused;
} export_run;

static bool flush(export_run *run) {
  if (run->len && run->write(run->ctx, run->room, run->len) != 0) run->refused = true;
  run->len = 0;
  if (!run->refused && run->progress && run->progress(run->progress_ctx, &run->at) != 0) run->refused = true;
  return !run->refused;
}

/* Blocks stand at odd places in an archive. Pieces of one size keep what is written on page borders of the file; this copy costs less than one by the
 * kernel to such a place costs more. */
static bool put(export_run *run, ipfsa_bytes data) {
  while (data.len) {
    size_t left = OUTPUT_FLUSH - run->len, n = data.len < left ? data.len : left;
    memcpy(run->room + run->len, data.data, n);
    run->len += n;
    data = ipfsa_bytes_of(data.data + n, data.len - n);
    if (run->len == OUTPUT_FLUSH && !flush(run)) return false;
  }
  return true;
}

static int write_section(void *ctx, const ipfsa_dag_visit *at) {
  export_run *run = ctx;
  ipfsa_buf_clear(&run->head);
  ipfsa_buf_car_section_head(&run->head, at->cid, at->data.len);
  run->at.done_bytes += at->size;
  run->at.done_items++;
  return run->head.failed || !put(run, ipfsa_buf_bytes(&run->head)) || !put(run, at->data);
}

static ipfsa_status write_archive(export_run *run, ipfsa_node *node, const ipfsa_cid *root, ipfsa_error *err) {
  ipfsa_dag_walk_options walk = {.leaves = IPFSA_DAG_LEAVES_READ, .visit = write_section, .ctx = run};
  ipfsa_buf_car_header(&run->head, root);
  ipfsa_status status = ipfsa_buf_status(&run->head, err);
  if (status) return status;
  if (put(run, ipfsa_buf_bytes(&run->head))) status = ipfsa_dag_walk(node, root, &walk, err);
  if (status == IPFSA_OK) flush(run);
  if (run->head.failed) return ipfsa_buf_status(&run->head, err);
  return run->refused ? ipfsa_fail(err, IPFSA_E_CANCELLED, "the output takes no more") : status;
}

ipfsa_status ipfsa_dag_export(ipfsa_node *node, const ipfsa_cid *root, ipfsa_write_cb write, void *ctx, ipfsa_progress_cb progress,
                              void *progress_ctx, ipfsa_error *err) {
  export_run run = {.write = write, .ctx = ctx, .progress = progress, .progress_ctx = progress_ctx};
  IPFSA_AUTO_BLOCK ipfsa_block first = {0};
  ipfsa_status status = ipfsa_blockstore_get(node->bs, root, &first, err); /* a root that is missing leaves no half archive behind */
  if (status) return status;
  run.room = ipfsa_alloc_aligned(PAGE, OUTPUT_FLUSH);
  status = run.room ? write_archive(&run, node, root, err) : ipfsa_fail_nomem(err);
  ipfsa_free_aligned(run.room);
  ipfsa_buf_release(&run.head);
  return status;
}

/* ---- import ---- */

typedef struct import_run {
  ipfsa_node *node;
  ipfsa_dag_import_options o;
  int fd;
  uint64_t begin;  /* of the archive in the file, where it can be read anywhere (reader.away_end) */
  size_t read_len; /* of the next read */
  uint64_t ahead;  /* up to here it was asked for */
  ipfsa_car_reader reader;
  ipfsa_blockstore_writer *w;
  ipfsa_intake *intake;
  ipfsa_dag_import_result result;
  ipfsa_progress at;
} import_run;

static ipfsa_status take_block(import_run *run, bool away, ipfsa_error *err) {
  const ipfsa_car_reader *r = &run->reader;
  ipfsa_status status = ipfsa_cid_check_allowed(&r->cid, err);
  if (status) return ipfsa_error_prefix(err, status, "block %llu", (unsigned long long)r->n_blocks);
  if (away) status = ipfsa_intake_put_from(run->intake, r->n_blocks, &r->cid, run->fd, run->begin + r->away_off, r->away_len, err);
  else status = ipfsa_intake_put(run->intake, r->n_blocks, &r->cid, r->data, err);
  if (status) return status;
  if (away) run->read_len = HEAD_SIZE;
  run->result.n_blocks++;
  run->result.n_bytes += away ? r->away_len : r->data.len;
  return IPFSA_OK;
}

/* A file can be read anywhere: its large blocks are left to the workers. */
static void choose_reading(import_run *run) {
  struct stat st;
  off_t at = lseek(run->fd, 0, SEEK_CUR);
  run->read_len = READ_SIZE;
  if (at < 0 || ipfsa_fs_fstat(run->fd, &st, NULL) != IPFSA_OK || !S_ISREG(st.st_mode) || st.st_size <= at) return;
  run->begin = (uint64_t)at;
  run->reader.away_end = (uint64_t)(st.st_size - at);
  run->read_len = HEAD_SIZE;
}

/* From a disk, heads alone would come one by one. */
static void ask_ahead(import_run *run, uint64_t at) {
  if (at + READ_AHEAD / 2 < run->ahead) return;
  run->ahead = at + READ_AHEAD;
  if (!ipfsa_fs_are_ends_cached(run->fd, at, READ_AHEAD)) ipfsa_fs_will_need(run->fd, at, READ_AHEAD);
}

static ipfsa_status read_at_hand(import_run *run, uint8_t *room, size_t *ret_len, ipfsa_error *err) {
  if (!run->reader.away_end) return ipfsa_fs_read(run->fd, room, run->read_len, ret_len, err);
  uint64_t at = run->begin + ipfsa_car_reader_wants(&run->reader);
  ask_ahead(run, at);
  return ipfsa_fs_read_at(run->fd, room, run->read_len, at, ret_len, err);
}

static ipfsa_status read_on(import_run *run, ipfsa_error *err) {
  uint8_t *room = NULL;
  size_t n = 0;
  ipfsa_status status = ipfsa_car_reader_room(&run->reader, run->read_len, &room, err);
  if (status == IPFSA_OK) status = read_at_hand(run, room, &n, err);
  if (status) return status;
  ipfsa_car_reader_filled(&run->reader, n);
  if (run->read_len < READ_SIZE) run->read_len *= 2; /* until a large block comes */
  run->at.done_bytes = ipfsa_car_reader_wants(&run->reader);
  bool stop = ipfsa_node_is_cancelled(run->node) || (run->o.progress && run->o.progress(run->o.progress_ctx, &run->at) != 0);
  return stop ? ipfsa_fail(err, IPFSA_E_CANCELLED, "cancelled") : IPFSA_OK;
}

static ipfsa_status read_archive(import_run *run, ipfsa_error *err) {
  for (;;) {
    ipfsa_car_event event;
    ipfsa_status status = ipfsa_car_reader_next(&run->reader, &event, err);
    if (status || event == IPFSA_CAR_END) return status;
    if (event == IPFSA_CAR_BLOCK || event == IPFSA_CAR_AWAY) status = take_block(run, event == IPFSA_CAR_AWAY, err);
    if (event == IPFSA_CAR_NEED) status = read_on(run, err);
    if (status) return status;
  }
}

/* Of two things that are wrong, the one that comes first in the archive is told: blocks that were read before are looked at first. */
static ipfsa_status take_archive(import_run *run, ipfsa_error *err) {
  ipfsa_error earlier = {0};
  ipfsa_status status = read_archive(run, err), taken = IPFSA_OK;
  if (status != IPFSA_E_CANCELLED) taken = ipfsa_intake_finish(run->intake, &earlier);
  if (taken == IPFSA_OK) return status;
  if (err) *err = earlier;
  return taken;
}

/* Pins before the writer is closed: gc cannot come between. */
static ipfsa_status pin_roots(import_run *run, ipfsa_error *err) {
  ipfsa_status result = IPFSA_OK;
  for (size_t i = 0; i < run->reader.n_roots; i++) {
    ipfsa_error why = {0};
    ipfsa_status status = run->o.no_pin_roots ? IPFSA_OK : ipfsa_pin_add(run->node, &run->reader.roots[i], NULL, &why);
    if (status) result = ipfsa_fail(err, IPFSA_E_PARTIAL, "some roots could not be pinned: %s", why.message);
    if (run->o.root && run->o.root(run->o.root_ctx, &run->reader.roots[i], status ? why.message : NULL) != 0)
      return ipfsa_fail(err, IPFSA_E_CANCELLED, "cancelled");
    run->result.n_roots++;
  }
  return result;
}

ipfsa_status ipfsa_dag_import(ipfsa_node *node, int fd, const char *name, const ipfsa_dag_import_options *given, ipfsa_dag_import_result *ret,
                              ipfsa_error *err) {
  import_run run = {.node = node, .o = IPFSA_OPTIONS(ipfsa_dag_import_options, given), .fd = fd};
  choose_reading(&run);
  ipfsa_status status = ipfsa_blockstore_begin(node->bs, &run.w, err);
  if (status == IPFSA_OK) status = ipfsa_intake_new(node, run.w, &run.intake, err);
  if (status == IPFSA_OK) status = take_archive(&run, err);
  if (status) ipfsa_error_prefix(err, status, "%s", name);
  if (status == IPFSA_OK) status = ipfsa_writer_commit(run.w, err);
  if (status == IPFSA_OK) status = pin_roots(&run, err);
  ipfsa_intake_free(run.intake);
  ipfsa_writer_close(run.w);
  ipfsa_car_reader_release(&run.reader);
  if (ret && (status == IPFSA_OK || status == IPFSA_E_PARTIAL)) *ret = run.result;
  return status;
}
