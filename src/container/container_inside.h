/* What the files about containers share. */
#ifndef IPFSA_CONTAINER_INSIDE_H
#define IPFSA_CONTAINER_INSIDE_H

#include "container/names.h"

/* "/containers/NAME" + rest; the name was checked. */
void ipfsa_container_target(ipfsa_buf *target, const char *name, const char *rest);
/* Inspects. E_NOT_FOUND when there is none of this name. */
ipfsa_status ipfsa_container_look(ipfsa_engine *engine, const char *name, bool cleaning, json_t **ret, ipfsa_error *err);
/* Likewise, and E_DENIED when it is not ours (and docker.allow_dangerous does not hold "foreign"). */
ipfsa_status ipfsa_container_look_ours(ipfsa_engine *engine, const char *name, json_t **ret, ipfsa_error *err);
bool ipfsa_labels_are_ours(const json_t *labels);
const char *ipfsa_container_state(const char *state); /* Podman's words for states as Docker's */
/* From an inspection (its reference is taken over, also on failure). */
ipfsa_status ipfsa_container_from_inspect(json_t *inspect, ipfsa_container **ret, ipfsa_error *err);

/* POST without a body; *ret_status (may be NULL) 204 or 304. */
ipfsa_status ipfsa_container_post(ipfsa_engine *engine, const char *name, const char *rest, ipfsa_texts secrets, bool cleaning, int64_t more_ms, int *ret_status, ipfsa_error *err);
ipfsa_status ipfsa_container_delete(ipfsa_engine *engine, const char *name, bool force, bool cleaning, ipfsa_error *err);

/* Hands on what a stream carries: frames, or raw bytes of a terminal as stream 1. */
typedef struct ipfsa_output ipfsa_output;
ipfsa_status ipfsa_container_read_output(ipfsa_engine_reply *reply, bool is_raw, ipfsa_container_output_cb cb, void *ctx, ipfsa_error *err);
/* "1700000000.5", seconds since 1970, in nanoseconds. E_INVALID. */
ipfsa_status ipfsa_container_time(const char *what, const char *text, int64_t *ret_ns, ipfsa_error *err);
/* Logs with a deadline (0: none). */
ipfsa_status ipfsa_container_read_logs(ipfsa_engine *engine, const char *name, const ipfsa_container_logs_options *options, bool is_raw, bool cleaning, uint64_t deadline,
                                       ipfsa_container_output_cb cb, void *ctx, ipfsa_error *err);
/* The last lines it said, at most room - 1 bytes, control characters taken out and values of its environment hidden; "" when there are none. */
void ipfsa_container_last_words(ipfsa_engine *engine, const char *name, ipfsa_texts env, char *ret, size_t room);

/* Begins a program and its stream (frames; 101 when both directions are open); ret_id names it to the engine. *ret stays NULL on failure. */
#define IPFSA_EXEC_ID 80u
ipfsa_status ipfsa_container_exec_begin(ipfsa_engine *engine, const char *name, ipfsa_texts command, const ipfsa_container_exec_options *options, uint64_t deadline,
                                        char ret_id[IPFSA_EXEC_ID], ipfsa_engine_reply **ret, ipfsa_error *err);
/* Exec by a deadline. */
ipfsa_status ipfsa_container_run(ipfsa_engine *engine, const char *name, ipfsa_texts command, const ipfsa_container_exec_options *options, uint64_t deadline,
                                 ipfsa_container_output_cb cb, void *ctx, int64_t *ret_exit_code, ipfsa_error *err);

/* Waits for all of options->waits. */
ipfsa_status ipfsa_container_wait_ready(ipfsa_engine *engine, const char *name, ipfsa_texts waits, int64_t timeout_ms, ipfsa_texts env, ipfsa_error *err);
/* Are they well formed? Before anything is made. */
ipfsa_status ipfsa_container_check_waits(ipfsa_texts waits, ipfsa_error *err);

const char *ipfsa_network_key(const ipfsa_engine *engine); /* of a list's entry: by what it is removed */
/* All containers, running or not, whosever; and the first of them that is set to this network, by name, or NULL. Docker itself counts only those that
 * run, and one whose network is gone never starts again. Borrowed. */
ipfsa_status ipfsa_network_list_users(ipfsa_engine *engine, json_t **ret, ipfsa_error *err);
const char *ipfsa_network_user(const json_t *containers, const json_t *network);

/* Is the image here? *ret (may be NULL) its inspection. E_NOT_FOUND. */
ipfsa_status ipfsa_image_look(ipfsa_engine *engine, const ipfsa_reference *ref, json_t **ret, ipfsa_error *err);
/* E_WRONG_TYPE: it is for another architecture than `platform` ("linux/arm64"; NULL: any) says. */
ipfsa_status ipfsa_image_check_platform(const json_t *inspect, const ipfsa_reference *ref, const char *platform, ipfsa_error *err);

#endif
