#include "car/car.h"

#include "base/alloc.h"
#include "base/error.h"
#include "codec/varint.h"
#include "ipld/block.h"
#include "ipld/value.h"

enum { STAGE_START, STAGE_V2_HEADER, STAGE_V2_SKIP, STAGE_HEADER, STAGE_SECTIONS, STAGE_END };
#define V2_HEADER 40 /* bytes: characteristics 16, data offset, data size, index offset */

void ipfsa_car_reader_release(ipfsa_car_reader *r) {
  ipfsa_buf_release(&r->in);
  ipfsa_free(r->roots);
  *r = (ipfsa_car_reader){0};
}

/* What was taken makes room. */
ipfsa_status ipfsa_car_reader_room(ipfsa_car_reader *r, size_t len, uint8_t **ret, ipfsa_error *err) {
  if (r->pos) memmove(r->in.data, r->in.data + r->pos, r->in.len - r->pos);
  r->in.len -= r->pos;
  r->off += r->pos;
  r->pos = 0;
  if (!ipfsa_buf_reserve(&r->in, len ? len : 1)) return ipfsa_buf_status(&r->in, err);
  *ret = r->in.data + r->in.len;
  return IPFSA_OK;
}

void ipfsa_car_reader_filled(ipfsa_car_reader *r, size_t n) {
  if (n == 0) r->ended = true;
  r->in.len += n;
}

uint64_t ipfsa_car_reader_wants(const ipfsa_car_reader *r) { return r->off + r->in.len; }

ipfsa_status ipfsa_car_reader_feed(ipfsa_car_reader *r, ipfsa_bytes bytes, ipfsa_error *err) {
  uint8_t *room = NULL;
  ipfsa_status status = ipfsa_car_reader_room(r, bytes.len, &room, err);
  if (status) return status;
  if (bytes.len) memcpy(room, bytes.data, bytes.len);
  ipfsa_car_reader_filled(r, bytes.len);
  return IPFSA_OK;
}

static ipfsa_cursor rest(const ipfsa_car_reader *r) { return ipfsa_cursor_over(ipfsa_bytes_of(r->in.data + r->pos, r->in.len - r->pos)); }

static ipfsa_status malformed(const ipfsa_car_reader *r, ipfsa_error *err, const char *what) {
  uint64_t off = r->off + r->pos;
  return ipfsa_fail_at(err, IPFSA_E_MALFORMED, off, "CAR: %s at byte %llu (after %llu whole blocks)", what, (unsigned long long)off,
                       (unsigned long long)r->n_blocks);
}

/* A varint and as many bytes as it says. *ret_more: not all is here yet. */
static ipfsa_status take_framed(ipfsa_car_reader *r, uint64_t max, ipfsa_bytes *ret, bool *ret_more, ipfsa_error *err) {
  ipfsa_cursor c = rest(r);
  uint64_t len;
  *ret_more = false;
  if (!ipfsa_cursor_varint(&c, &len)) {
    if (ipfsa_cursor_left(&c) >= 9) return malformed(r, err, "a length that is no varint");
    if (r->ended) return malformed(r, err, ipfsa_cursor_left(&c) ? "unexpected EOF: a length is cut short or malformed" : "unexpected EOF");
    return *ret_more = true, IPFSA_OK;
  }
  if (len > max) return ipfsa_fail_at(err, IPFSA_E_LIMIT, r->off + r->pos, "CAR: a part of %llu bytes at byte %llu; at most %llu are taken", (unsigned long long)len,
                                      (unsigned long long)(r->off + r->pos), (unsigned long long)max);
  if (len == 0) return malformed(r, err, "an empty section");
  if (r->payload_end && r->off + r->pos + ipfsa_cursor_offset(&c) + len > r->payload_end) return malformed(r, err, "a section that goes beyond the end that the CARv2 header names");
  if (!ipfsa_cursor_take(&c, len, ret)) {
    if (r->ended) return malformed(r, err, "unexpected EOF: a section is cut short");
    return *ret_more = true, IPFSA_OK;
  }
  r->pos += ipfsa_cursor_offset(&c);
  return IPFSA_OK;
}

static ipfsa_status read_roots(ipfsa_car_reader *r, const ipfsa_value *v, size_t list, ipfsa_error *err) {
  size_t n = v->items[list].u;
  if (n > IPFSA_MAX_CAR_ROOTS) return ipfsa_fail(err, IPFSA_E_LIMIT, "CAR: %zu roots; at most %d are taken", n, IPFSA_MAX_CAR_ROOTS);
  ipfsa_free(r->roots);
  r->roots = ipfsa_calloc(n, sizeof *r->roots);
  if (!r->roots) return ipfsa_fail_nomem(err);
  for (size_t i = 0, at = list + 1; i < n; i++, at = v->items[at].next) {
    if (v->items[at].type != IPFSA_VALUE_LINK) return malformed(r, err, "a root that is no link");
    ipfsa_status status = ipfsa_cid_decode(v->items[at].bytes, &r->roots[i], err);
    if (status) return status;
  }
  r->n_roots = n;
  return IPFSA_OK;
}

/* {roots: [link…], version: 1}; a bare {version: 2} is the beginning of a CARv2. */
static ipfsa_status read_header(ipfsa_car_reader *r, ipfsa_bytes header, uint64_t *ret_version, ipfsa_error *err) {
  IPFSA_AUTO(ipfsa_value_release) ipfsa_value v = {0};
  ipfsa_status status = ipfsa_value_decode(IPFSA_CODEC_DAG_CBOR, header, &v, err);
  if (status) return ipfsa_error_prefix(err, status, "CAR: its header");
  size_t version = ipfsa_value_child(&v, 0, ipfsa_bytes_str("version")), roots = ipfsa_value_child(&v, 0, ipfsa_bytes_str("roots"));
  if (version == SIZE_MAX || v.items[version].type != IPFSA_VALUE_INT || v.items[version].negative) return malformed(r, err, "a header without version");
  *ret_version = v.items[version].u;
  if (*ret_version == 2 && r->stage == STAGE_START) return IPFSA_OK;
  if (*ret_version != 1) return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "CAR: version %llu; 1 and 2 are known", (unsigned long long)*ret_version);
  if (roots == SIZE_MAX || v.items[roots].type != IPFSA_VALUE_LIST) return malformed(r, err, "a header without roots");
  return read_roots(r, &v, roots, err);
}

static ipfsa_status take_header(ipfsa_car_reader *r, ipfsa_car_event *ret, ipfsa_error *err) {
  ipfsa_bytes header;
  bool more;
  uint64_t version = 0;
  ipfsa_status status = take_framed(r, IPFSA_MAX_CAR_HEADER, &header, &more, err);
  if (status || more) return *ret = IPFSA_CAR_NEED, status;
  status = read_header(r, header, &version, err);
  if (status) return status;
  if (r->stage == STAGE_START) r->payload_end = UINT64_MAX;
  r->stage = version == 2 ? STAGE_V2_HEADER : STAGE_SECTIONS;
  *ret = version == 2 ? IPFSA_CAR_NEED : IPFSA_CAR_HEADER;
  return IPFSA_OK;
}

static ipfsa_status take_v2_header(ipfsa_car_reader *r, ipfsa_error *err) {
  ipfsa_cursor c = rest(r);
  uint64_t data_off, data_size, index_off;
  if (!ipfsa_cursor_skip(&c, 16) || !ipfsa_cursor_u64le(&c, &data_off) || !ipfsa_cursor_u64le(&c, &data_size) || !ipfsa_cursor_u64le(&c, &index_off))
    return r->ended ? malformed(r, err, "unexpected EOF in the CARv2 header") : IPFSA_OK;
  uint64_t here = r->off + r->pos + V2_HEADER;
  if (data_off < here || data_size == 0 || data_off + data_size < data_off) return malformed(r, err, "a CARv2 header whose offsets make no sense");
  r->pos += V2_HEADER;
  r->payload_end = data_off + data_size;
  r->stage = STAGE_V2_SKIP;
  r->n_roots = (size_t)(data_off - here); /* padding to pass, until the roots are known */
  return IPFSA_OK;
}

static ipfsa_status skip_padding(ipfsa_car_reader *r, ipfsa_error *err) {
  size_t left = r->in.len - r->pos, n = left < r->n_roots ? left : r->n_roots;
  r->pos += n;
  r->n_roots -= n;
  if (r->n_roots == 0) r->stage = STAGE_HEADER;
  else if (r->ended) return malformed(r, err, "unexpected EOF before the CARv1 inside");
  return IPFSA_OK;
}

/* A large block of which the head is here and the rest is not: whoever wants its bytes reads them where they lie. */
static bool take_away(ipfsa_car_reader *r) {
  ipfsa_cursor c = rest(r);
  uint64_t len;
  if (!r->away_end || !ipfsa_cursor_varint(&c, &len) || len < IPFSA_CAR_AWAY_MIN || len > IPFSA_MAX_CAR_SECTION) return false;
  uint64_t begin = r->off + r->pos + ipfsa_cursor_offset(&c), end = begin + len;
  size_t here = ipfsa_cursor_left(&c);
  if (here >= len || here < IPFSA_MAX_CID || end > r->away_end || end > r->payload_end) return false;
  ipfsa_cid cid;
  if (ipfsa_cursor_cid(&c, &cid, NULL) != IPFSA_OK) return false; /* told when the section is here */
  uint64_t off = r->off + r->pos + ipfsa_cursor_offset(&c), data_len = end - off;
  if (data_len < IPFSA_CAR_AWAY_MIN || data_len > IPFSA_MAX_BLOCK) return false;
  r->cid = cid;
  r->away_off = off;
  r->away_len = (uint32_t)data_len;
  r->n_blocks++;
  r->off = end;
  r->pos = 0;
  ipfsa_buf_clear(&r->in);
  return true;
}

static ipfsa_status take_section(ipfsa_car_reader *r, ipfsa_car_event *ret, ipfsa_error *err) {
  bool at_end = r->off + r->pos >= r->payload_end || (r->ended && r->pos == r->in.len && r->payload_end == UINT64_MAX);
  if (at_end) {
    r->stage = STAGE_END;
    return *ret = IPFSA_CAR_END, IPFSA_OK;
  }
  if (take_away(r)) return *ret = IPFSA_CAR_AWAY, IPFSA_OK;
  ipfsa_bytes section;
  bool more;
  ipfsa_status status = take_framed(r, IPFSA_MAX_CAR_SECTION, &section, &more, err);
  if (status || more) return *ret = IPFSA_CAR_NEED, status;
  ipfsa_cursor c = ipfsa_cursor_over(section);
  status = ipfsa_cursor_cid(&c, &r->cid, err);
  if (status) return ipfsa_error_prefix(err, status, "CAR: section %llu, before byte %llu", (unsigned long long)r->n_blocks, (unsigned long long)(r->off + r->pos));
  r->data = ipfsa_bytes_of(c.pos, ipfsa_cursor_left(&c));
  r->n_blocks++;
  return *ret = IPFSA_CAR_BLOCK, IPFSA_OK;
}

ipfsa_status ipfsa_car_reader_next(ipfsa_car_reader *r, ipfsa_car_event *ret, ipfsa_error *err) {
  *ret = IPFSA_CAR_NEED;
  for (;;) {
    int before = r->stage;
    ipfsa_status status = IPFSA_OK;
    switch (r->stage) {
    case STAGE_START:
    case STAGE_HEADER: status = take_header(r, ret, err); break;
    case STAGE_V2_HEADER: status = take_v2_header(r, err); break;
    case STAGE_V2_SKIP: status = skip_padding(r, err); break;
    case STAGE_SECTIONS: return take_section(r, ret, err);
    default: return *ret = IPFSA_CAR_END, IPFSA_OK;
    }
    if (status || *ret != IPFSA_CAR_NEED || r->stage == before) return status;
  }
}

void ipfsa_buf_car_header(ipfsa_buf *buf, const ipfsa_cid *root) {
  uint8_t cid[IPFSA_MAX_CID];
  size_t len = ipfsa_cid_encode(root, cid);
  IPFSA_AUTO_BUF ipfsa_buf header = {0};
  ipfsa_buf_append(&header, "\xa2\x65roots\x81\xd8\x2a", 10);
  if (len + 1 < 24) ipfsa_buf_u8(&header, (uint8_t)(0x40 | (len + 1)));
  else ipfsa_buf_u8(&header, 0x58), ipfsa_buf_u8(&header, (uint8_t)(len + 1));
  ipfsa_buf_u8(&header, 0);
  ipfsa_buf_append(&header, cid, len);
  ipfsa_buf_append(&header, "\x67version\x01", 9);
  ipfsa_buf_varint(buf, header.len);
  ipfsa_buf_append_bytes(buf, ipfsa_buf_bytes(&header));
  if (header.failed) buf->failed = header.failed;
}

void ipfsa_buf_car_section_head(ipfsa_buf *buf, const ipfsa_cid *cid, size_t data_len) {
  ipfsa_buf_varint(buf, ipfsa_cid_size(cid) + data_len);
  ipfsa_buf_cid(buf, cid);
}
