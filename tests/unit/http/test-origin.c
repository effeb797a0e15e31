#include "http/origin.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "../support.h"

static void urls_that_are_read(void **state) {
  (void)state;
  static const struct {
    const char *url, *origin, *target;
  } rows[] = {
      {"http://example.com", "http://example.com", ""},
      {"HTTPS://Example.COM.:443/a?b#c", "https://example.com", "/a?b#c"},
      {"http://example.com:443?x", "http://example.com:443", "?x"},
      {"https://xn--bcher-kva.example/", "https://xn--bcher-kva.example", "/"},
      {"http://127.0.0.1:5000/v2/", "http://127.0.0.1:5000", "/v2/"},
      {"http://127.0.0.1./", "http://127.0.0.1", "/"},
      {"http://[0:0::1]:80/", "http://[::1]", "/"},
      {"http://[::FFFF:127.0.0.1]/", "http://[::ffff:127.0.0.1]", "/"},
      {"http://a_b.c-d/", "http://a_b.c-d", "/"},
      {"http://example.com/@user", "http://example.com", "/@user"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    ipfsa_error err = {0};
    ipfsa_origin o;
    const char *target = NULL;
    char text[IPFSA_MAX_ORIGIN];
    assert_ok(ipfsa_url_parse(rows[i].url, &o, &target, &err));
    ipfsa_origin_format(&o, text);
    assert_string_equal(text, rows[i].origin);
    assert_string_equal(target, rows[i].target);
  }
}

static void urls_that_are_refused(void **state) {
  (void)state;
  static const char *const urls[] = {
      "", "example.com", "ftp://example.com/", "file:///etc/passwd", "http:/example.com", "http://", "http:///x", "http://:80/",
      "http://user@example.com/", "http://user:secret@127.0.0.1/", "http://example.com\\@127.0.0.1/", "http://exa mple.com/", "http://example.com/a b",
      "http://example.com/\x01", "http://b\xc3\xbc" "cher.example/", "http://127\xe3\x80\x82" "0.0.1/", "http://example.com/\xc3\xbc",
      "http://2130706433/", "http://0x7f000001/", "http://0x7f.0.0.1/", "http://017700000001/", "http://0177.0.0.1/", "http://127.1/", "http://127.0.1/",
      "http://127.0.0.01/", "http://127.0.0.256/", "http://1.2.3.4.5/", "http://0/", "http://0x/", "http://a.0x/",
      "http://[fe80::1%25eth0]/", "http://[fe80::1%eth0]/", "http://[::1/", "http://[::1]80/", "http://[127.0.0.1]/", "http://[]/",
      "http://example.com:/", "http://example.com:0/", "http://example.com:65536/", "http://example.com:080000/", "http://example.com:-1/",
      "http://a..b/", "http://.a/", "http://a%2eb/", "http://./",
      "http://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example/"};
  for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
    ipfsa_error err = {0};
    ipfsa_origin o = {.port = 7};
    ipfsa_status status = ipfsa_url_parse(urls[i], &o, NULL, &err);
    if (status != IPFSA_E_INVALID) fail_msg("%s: %s", urls[i], ipfsa_status_to_string(status));
    assert_int_equal(o.port, 7);
    assert_null(strstr(err.message, "secret"));
  }
}

static void lengths_have_limits(void **state) {
  (void)state;
  ipfsa_error err = {0};
  ipfsa_origin o;
  char url[IPFSA_MAX_URL + 2] = "http://example.com/";
  size_t at = strlen(url);
  memset(url + at, 'a', sizeof url - at);
  url[IPFSA_MAX_URL] = '\0';
  assert_ok(ipfsa_url_parse(url, &o, NULL, &err));
  url[IPFSA_MAX_URL] = 'a', url[IPFSA_MAX_URL + 1] = '\0';
  assert_status(ipfsa_url_parse(url, &o, NULL, &err), IPFSA_E_LIMIT);

  strcpy(url, "http://");
  for (int i = 0; i < 127; i++) strcat(url, i ? ".a" : "a"); /* 253 bytes */
  assert_ok(ipfsa_url_parse(url, &o, NULL, &err));
  assert_int_equal(strlen(o.host), IPFSA_MAX_HOST);
  strcat(url, "a");
  assert_status(ipfsa_url_parse(url, &o, NULL, &err), IPFSA_E_INVALID);
}

static void references_are_joined(void **state) {
  (void)state;
  static const struct {
    const char *reference, *url; /* NULL: refused */
  } rows[] = {
      {"/v2/x", "https://r.example:8443/v2/x"},       {"y?n=1#f", "https://r.example:8443/v2/a/y?n=1"}, {"?n=2", "https://r.example:8443/v2/a/list?n=2"},
      {"", "https://r.example:8443/v2/a/list"},       {"//other.example/z", "https://other.example/z"}, {"http://other.example", "http://other.example"},
      {"HTTPS://Other/", "HTTPS://Other/"},           {"javascript:alert(1)", NULL},                     {"ftp://r.example/", NULL},
      {"//user@r.example/", NULL},                    {"/a b", NULL},                                    {"http://", NULL},
      {"./x:y", "https://r.example:8443/v2/a/./x:y"},
  };
  ipfsa_error err = {0};
  ipfsa_origin base;
  assert_ok(ipfsa_url_parse("https://r.example:8443", &base, NULL, &err));
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    ipfsa_buf out = {0};
    ipfsa_status status = ipfsa_url_join(&base, "/v2/a/list?last=q", rows[i].reference, &out, &err);
    if (rows[i].url) assert_string_equal(ipfsa_buf_cstr(&out), rows[i].url);
    else if (status != IPFSA_E_INVALID) fail_msg("%s was joined", rows[i].reference);
    ipfsa_buf_release(&out);
  }
}

static bool private_text(const char *text) {
  struct sockaddr_in in = {.sin_family = AF_INET};
  struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
  if (inet_pton(AF_INET, text, &in.sin_addr) == 1) return ipfsa_address_is_private((const struct sockaddr *)&in);
  assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
  return ipfsa_address_is_private((const struct sockaddr *)&in6);
}

/* First and last address of every range, and their neighbours outside. */
static void private_addresses(void **state) {
  (void)state;
  static const char *const inside[] = {
      "0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255", "127.0.0.1", "127.255.255.255", "169.254.0.0",
      "169.254.169.254", "169.254.255.255", "172.16.0.0", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.168.0.0", "192.168.255.255", "198.18.0.0",
      "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
      "::", "::1", "::ffff:127.0.0.1", "::ffff:10.1.2.3", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b:1::1", "100::1", "2001::1",
      "2001:db8::1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "fc00::1", "fdff:ffff::1", "fe80::1", "febf::1", "fec0::1", "ff02::1"};
  static const char *const outside[] = {
      "1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0", "169.253.255.255", "169.255.0.0",
      "172.15.255.255", "172.32.0.0", "192.0.1.1", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255", "8.8.8.8",
      "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2001:4860:4860::8888", "2002:808:808::1", "2606:4700::1111", "fbff::1"};
  for (size_t i = 0; i < sizeof inside / sizeof *inside; i++)
    if (!private_text(inside[i])) fail_msg("%s counts as public", inside[i]);
  for (size_t i = 0; i < sizeof outside / sizeof *outside; i++)
    if (private_text(outside[i])) fail_msg("%s counts as private", outside[i]);
  struct sockaddr_in6 zoned = {.sin6_family = AF_INET6, .sin6_scope_id = 2};
  inet_pton(AF_INET6, "2606:4700::1111", &zoned.sin6_addr);
  assert_true(ipfsa_address_is_private((const struct sockaddr *)&zoned));
  struct sockaddr other = {.sa_family = AF_UNIX};
  assert_true(ipfsa_address_is_private(&other));
}

static void private_hosts(void **state) {
  (void)state;
  static const char *const inside[] = {"http://localhost/", "http://LOCALHOST./", "http://a.localhost/", "http://127.0.0.1/", "http://[::1]/",
                                       "http://[::ffff:7f00:1]/", "http://169.254.169.254/latest/", "http://0.0.0.0/"};
  static const char *const outside[] = {"http://example.com/", "http://notlocalhost/", "http://localhost.example/", "http://8.8.8.8/", "http://[2606:4700::1111]/"};
  ipfsa_error err = {0};
  ipfsa_origin o;
  for (size_t i = 0; i < sizeof inside / sizeof *inside; i++) {
    assert_ok(ipfsa_url_parse(inside[i], &o, NULL, &err));
    assert_true(ipfsa_origin_is_private(&o));
  }
  for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
    assert_ok(ipfsa_url_parse(outside[i], &o, NULL, &err));
    assert_false(ipfsa_origin_is_private(&o));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(urls_that_are_read),    cmocka_unit_test(urls_that_are_refused), cmocka_unit_test(lengths_have_limits),
      cmocka_unit_test(references_are_joined), cmocka_unit_test(private_addresses),     cmocka_unit_test(private_hosts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
