/* Every verb, sorted by name: the order of help and completions. */
#include "cli/cli.h"

extern const cli_verb cli_verb_add;
extern const cli_verb cli_verb_alias;
extern const cli_verb cli_verb_alias_export;
extern const cli_verb cli_verb_alias_get;
extern const cli_verb cli_verb_alias_history;
extern const cli_verb cli_verb_alias_import;
extern const cli_verb cli_verb_alias_ls;
extern const cli_verb cli_verb_alias_rm;
extern const cli_verb cli_verb_alias_set;
extern const cli_verb cli_verb_block;
extern const cli_verb cli_verb_block_get;
extern const cli_verb cli_verb_block_put;
extern const cli_verb cli_verb_block_rm;
extern const cli_verb cli_verb_block_stat;
extern const cli_verb cli_verb_cat;
extern const cli_verb cli_verb_checkpoint;
extern const cli_verb cli_verb_checkpoint_diff;
extern const cli_verb cli_verb_checkpoint_inspect;
extern const cli_verb cli_verb_checkpoint_verify;
extern const cli_verb cli_verb_cid;
extern const cli_verb cli_verb_cid_base32;
extern const cli_verb cli_verb_cid_bases;
extern const cli_verb cli_verb_cid_codecs;
extern const cli_verb cli_verb_cid_format;
extern const cli_verb cli_verb_cid_hashes;
extern const cli_verb cli_verb_cid_inspect;
extern const cli_verb cli_verb_commands;
extern const cli_verb cli_verb_commands_completion;
extern const cli_verb cli_verb_commands_completion_bash;
extern const cli_verb cli_verb_commands_completion_fish;
extern const cli_verb cli_verb_commands_completion_zsh;
extern const cli_verb cli_verb_config;
extern const cli_verb cli_verb_config_edit;
extern const cli_verb cli_verb_config_profile;
extern const cli_verb cli_verb_config_profile_apply;
extern const cli_verb cli_verb_config_replace;
extern const cli_verb cli_verb_config_show;
extern const cli_verb cli_verb_container;
extern const cli_verb cli_verb_container_engine;
extern const cli_verb cli_verb_container_events;
extern const cli_verb cli_verb_container_exec;
extern const cli_verb cli_verb_container_inspect;
extern const cli_verb cli_verb_container_logs;
extern const cli_verb cli_verb_container_ls;
extern const cli_verb cli_verb_container_prune;
extern const cli_verb cli_verb_container_restart;
extern const cli_verb cli_verb_container_rm;
extern const cli_verb cli_verb_container_start;
extern const cli_verb cli_verb_container_start_ipfs;
extern const cli_verb cli_verb_container_serve;
extern const cli_verb cli_verb_container_stats;
extern const cli_verb cli_verb_container_stop;
extern const cli_verb cli_verb_container_watch;
extern const cli_verb cli_verb_dag;
extern const cli_verb cli_verb_dag_export;
extern const cli_verb cli_verb_dag_get;
extern const cli_verb cli_verb_dag_import;
extern const cli_verb cli_verb_dag_put;
extern const cli_verb cli_verb_dag_resolve;
extern const cli_verb cli_verb_dag_stat;
extern const cli_verb cli_verb_dispatch;
extern const cli_verb cli_verb_endpoint;
extern const cli_verb cli_verb_endpoint_ls;
extern const cli_verb cli_verb_files;
extern const cli_verb cli_verb_files_chcid;
extern const cli_verb cli_verb_files_chmod;
extern const cli_verb cli_verb_files_chroot;
extern const cli_verb cli_verb_files_cp;
extern const cli_verb cli_verb_files_flush;
extern const cli_verb cli_verb_files_ls;
extern const cli_verb cli_verb_files_mkdir;
extern const cli_verb cli_verb_files_mv;
extern const cli_verb cli_verb_files_read;
extern const cli_verb cli_verb_files_rm;
extern const cli_verb cli_verb_files_stat;
extern const cli_verb cli_verb_files_touch;
extern const cli_verb cli_verb_files_write;
extern const cli_verb cli_verb_filestore;
extern const cli_verb cli_verb_filestore_dups;
extern const cli_verb cli_verb_filestore_ls;
extern const cli_verb cli_verb_filestore_verify;
extern const cli_verb cli_verb_get;
extern const cli_verb cli_verb_image;
extern const cli_verb cli_verb_image_ls;
extern const cli_verb cli_verb_image_pull;
extern const cli_verb cli_verb_image_rm;
extern const cli_verb cli_verb_init;
extern const cli_verb cli_verb_ls;
extern const cli_verb cli_verb_marketplace;
extern const cli_verb cli_verb_multibase;
extern const cli_verb cli_verb_multibase_decode;
extern const cli_verb cli_verb_multibase_encode;
extern const cli_verb cli_verb_multibase_list;
extern const cli_verb cli_verb_multibase_transcode;
extern const cli_verb cli_verb_network;
extern const cli_verb cli_verb_network_create;
extern const cli_verb cli_verb_network_ls;
extern const cli_verb cli_verb_network_rm;
extern const cli_verb cli_verb_pin;
extern const cli_verb cli_verb_pin_add;
extern const cli_verb cli_verb_pin_ls;
extern const cli_verb cli_verb_pin_rm;
extern const cli_verb cli_verb_pin_update;
extern const cli_verb cli_verb_pin_verify;
extern const cli_verb cli_verb_refs;
extern const cli_verb cli_verb_refs_local;
extern const cli_verb cli_verb_repo;
extern const cli_verb cli_verb_repo_gc;
extern const cli_verb cli_verb_repo_ls;
extern const cli_verb cli_verb_repo_migrate;
extern const cli_verb cli_verb_repo_stat;
extern const cli_verb cli_verb_repo_verify;
extern const cli_verb cli_verb_repo_version;
extern const cli_verb cli_verb_resolve;
extern const cli_verb cli_verb_stats;
extern const cli_verb cli_verb_stats_hash;
extern const cli_verb cli_verb_stats_repo;
extern const cli_verb cli_verb_tunnel;
extern const cli_verb cli_verb_tunnel_create;
extern const cli_verb cli_verb_tunnel_ls;
extern const cli_verb cli_verb_tunnel_rm;
extern const cli_verb cli_verb_version;
extern const cli_verb cli_verb_version_deps;
extern const cli_verb cli_verb_volume;
extern const cli_verb cli_verb_volume_create;
extern const cli_verb cli_verb_volume_ls;
extern const cli_verb cli_verb_volume_rm;

const cli_verb *const cli_verbs[] = {
    &cli_verb_add,
    &cli_verb_alias,
    &cli_verb_alias_export,
    &cli_verb_alias_get,
    &cli_verb_alias_history,
    &cli_verb_alias_import,
    &cli_verb_alias_ls,
    &cli_verb_alias_rm,
    &cli_verb_alias_set,
    &cli_verb_block,
    &cli_verb_block_get,
    &cli_verb_block_put,
    &cli_verb_block_rm,
    &cli_verb_block_stat,
    &cli_verb_cat,
    &cli_verb_checkpoint,
    &cli_verb_checkpoint_diff,
    &cli_verb_checkpoint_inspect,
    &cli_verb_checkpoint_verify,
    &cli_verb_cid,
    &cli_verb_cid_base32,
    &cli_verb_cid_bases,
    &cli_verb_cid_codecs,
    &cli_verb_cid_format,
    &cli_verb_cid_hashes,
    &cli_verb_cid_inspect,
    &cli_verb_commands,
    &cli_verb_commands_completion,
    &cli_verb_commands_completion_bash,
    &cli_verb_commands_completion_fish,
    &cli_verb_commands_completion_zsh,
    &cli_verb_config,
    &cli_verb_config_edit,
    &cli_verb_config_profile,
    &cli_verb_config_profile_apply,
    &cli_verb_config_replace,
    &cli_verb_config_show,
    &cli_verb_container,
    &cli_verb_container_engine,
    &cli_verb_container_events,
    &cli_verb_container_exec,
    &cli_verb_container_inspect,
    &cli_verb_container_logs,
    &cli_verb_container_ls,
    &cli_verb_container_prune,
    &cli_verb_container_restart,
    &cli_verb_container_rm,
    &cli_verb_container_start,
    &cli_verb_container_start_ipfs,
    &cli_verb_container_serve,
    &cli_verb_container_stats,
    &cli_verb_container_stop,
    &cli_verb_container_watch,
    &cli_verb_dag,
    &cli_verb_dag_export,
    &cli_verb_dag_get,
    &cli_verb_dag_import,
    &cli_verb_dag_put,
    &cli_verb_dag_resolve,
    &cli_verb_dag_stat,
    &cli_verb_dispatch,
    &cli_verb_endpoint,
    &cli_verb_endpoint_ls,
    &cli_verb_files,
    &cli_verb_files_chcid,
    &cli_verb_files_chmod,
    &cli_verb_files_chroot,
    &cli_verb_files_cp,
    &cli_verb_files_flush,
    &cli_verb_files_ls,
    &cli_verb_files_mkdir,
    &cli_verb_files_mv,
    &cli_verb_files_read,
    &cli_verb_files_rm,
    &cli_verb_files_stat,
    &cli_verb_files_touch,
    &cli_verb_files_write,
    &cli_verb_filestore,
    &cli_verb_filestore_dups,
    &cli_verb_filestore_ls,
    &cli_verb_filestore_verify,
    &cli_verb_get,
    &cli_verb_image,
    &cli_verb_image_ls,
    &cli_verb_image_pull,
    &cli_verb_image_rm,
    &cli_verb_init,
    &cli_verb_ls,
    &cli_verb_marketplace,
    &cli_verb_multibase,
    &cli_verb_multibase_decode,
    &cli_verb_multibase_encode,
    &cli_verb_multibase_list,
    &cli_verb_multibase_transcode,
    &cli_verb_network,
    &cli_verb_network_create,
    &cli_verb_network_ls,
    &cli_verb_network_rm,
    &cli_verb_pin,
    &cli_verb_pin_add,
    &cli_verb_pin_ls,
    &cli_verb_pin_rm,
    &cli_verb_pin_update,
    &cli_verb_pin_verify,
    &cli_verb_refs,
    &cli_verb_refs_local,
    &cli_verb_repo,
    &cli_verb_repo_gc,
    &cli_verb_repo_ls,
    &cli_verb_repo_migrate,
    &cli_verb_repo_stat,
    &cli_verb_repo_verify,
    &cli_verb_repo_version,
    &cli_verb_resolve,
    &cli_verb_stats,
    &cli_verb_stats_hash,
    &cli_verb_stats_repo,
    &cli_verb_tunnel,
    &cli_verb_tunnel_create,
    &cli_verb_tunnel_ls,
    &cli_verb_tunnel_rm,
    &cli_verb_version,
    &cli_verb_version_deps,
    &cli_verb_volume,
    &cli_verb_volume_create,
    &cli_verb_volume_ls,
    &cli_verb_volume_rm,
    NULL,
};
