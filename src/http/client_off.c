/* The client of a build without libcurl's headers. */
#include "base/error.h"
#include "http/client.h"

static ipfsa_status left_out(ipfsa_error *err) {
  return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "this build has no HTTP client: it was made without libcurl (libcurl4-openssl-dev; -Dcurl=enabled)");
}

ipfsa_status ipfsa_http_client_new(const ipfsa_http_settings *settings, ipfsa_http_client **ret, ipfsa_error *err) {
  (void)settings, (void)ret;
  return left_out(err);
}

void ipfsa_http_client_free(ipfsa_http_client *client) { (void)client; }

ipfsa_status ipfsa_http_perform(ipfsa_http_client *client, const ipfsa_http_request *request, ipfsa_http_answer *ret, ipfsa_error *err) {
  (void)client, (void)request, (void)ret;
  return left_out(err);
}
