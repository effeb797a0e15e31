#include "unixfs/chunker.h"

#include <pthread.h>

#include "base/error.h"

#define BUZHASH_MIN 131072
#define BUZHASH_MAX 524288
#define BUZHASH_MASK ((1u << 17) - 1)
#define BUZHASH_WINDOW 32

/* The table of boxo's buzhash: 256 random words, XOR 0, 4096 bits set. */
static const uint32_t buzhash_table[256] = {
    0x6236e7d5, 0x10279b0b, 0x72818182, 0xdc526514, 0x2fd41e3d, 0x777ef8c8, 0x83ee5285, 0x2c8f3637,
    0x2f049c1a, 0x57df9791, 0x9207151f, 0x9b544818, 0x74eef658, 0x2028ca60, 0x0271d91a, 0x27ae587e,
    0xecf9fa5f, 0x236e71cd, 0xf43a8a2e, 0x0bb13380, 0x9e57912c, 0x89a26cdb, 0x9fcf3d71, 0xa86da6f1,
    0x9c49f376, 0x346aecc7, 0xf094a9ee, 0xea99e9cb, 0xb01713c6, 0x088acffb, 0x2960a0fb, 0x344a626c,
    0x7ff22a46, 0x6d7a1aa5, 0x6a714916, 0x41d454ca, 0x8325b830, 0x0b65f563, 0x447fecca, 0xf9d0ea5e,
    0xc1d9d3d4, 0xcb5ec574, 0x55aae902, 0x86edc0e7, 0x0d3a9e33, 0xe70dc1e1, 0xe3c5f639, 0x9b43140a,
    0xc6490ac5, 0x5e4030fb, 0x8e976dd5, 0xa87468ea, 0xf830ef6f, 0xcc1ed5a5, 0x611f4e78, 0xddd11905,
    0xf2613904, 0x566c67b9, 0x905a5ccc, 0x7b37b3a4, 0x4b53898a, 0x6b8fd29d, 0xaad81575, 0x511be414,
    0x3cfac1e7, 0x8029a179, 0xd40efeda, 0x07380e02, 0xdc9beffd, 0x2d049082, 0x99bc7831, 0xff5002a8,
    0x21ce7646, 0x01cd049b, 0x0f43994f, 0xc3c6c5a5, 0xbbda5f50, 0x0ec15ec7, 0x9adb19b6, 0x0c1e80b9,
    0xb9b52968, 0xae162419, 0x2542b405, 0x91a42e9d, 0x6be0f668, 0x6ed7a6b9, 0xbc2777b4, 0xe162ce56,
    0x4266aad5, 0x60fdb704, 0x66f832a5, 0x9595f6ca, 0xfee83ced, 0x55228d99, 0x12bf0e28, 0x66896459,
    0x0789afda, 0x0282baa8, 0x2367a343, 0x591491b0, 0x2ff1a4b1, 0x410739b6, 0x9b7055a0, 0x2e0eb229,
    0x24fc8252, 0x3327d3df, 0xb0782669, 0x1c62e069, 0x7f503101, 0xf50593ae, 0xd9eb275d, 0xe00eb678,
    0x5917ccde, 0x97b9660a, 0xdd06202d, 0xed229e22, 0xa9c735bf, 0xd6316fe6, 0x6fc72e4c, 0x0206dfa2,
    0xd6b15c5a, 0x69d87b49, 0x09c97745, 0x13445d61, 0x35a975aa, 0x859aa9b9, 0x65380013, 0xd1fb6391,
    0xc29255fd, 0x784a3b91, 0xb9e74c26, 0x63ce4d40, 0xc07cbe9e, 0xe6e4529e, 0x0fb3632f, 0x9438d9c9,
    0x682f94a8, 0xf8fd4611, 0x257ec1ed, 0x475ce3d6, 0x60ee2db1, 0x2afab002, 0x2b9e4878, 0x86b340de,
    0x1482fdca, 0xfe41b3bf, 0xd4a412b0, 0xe09db98c, 0xc1af5d53, 0x7e55e25f, 0xd3346b38, 0xb7a12cbd,
    0x9c6827ba, 0x71f78bee, 0x8c3a0f52, 0x150491b0, 0xf26de912, 0x233e3a4e, 0xd309ebba, 0xa0a9e0ff,
    0xca2b5921, 0xeeb9893c, 0x33829e88, 0x9870cc2a, 0x23c4b9d0, 0xeba32ea3, 0xbdac4d22, 0x3bc8c44c,
    0x1e8d0397, 0xf9327735, 0x783b009f, 0x0eb83742, 0x2621dc71, 0xed017d03, 0x5c760aa1, 0x5a69814b,
    0x96e3047f, 0xa93c9cde, 0x615c86f5, 0xb4322aa5, 0x4225534d, 0x0d2e2de3, 0xccfccc4b, 0x0bac2a57,
    0xf0a06d04, 0xbc78d737, 0xf2d1f766, 0xf5a7953c, 0xbcdfda85, 0x5213b7d5, 0xbce8a328, 0xd38f5f18,
    0xdb094244, 0xfe571253, 0x317fa7ee, 0x4a324f43, 0x3ffc39d9, 0x51b3fa8e, 0x7a4bee9f, 0x78bbc682,
    0x9f5c0350, 0x02fe286c, 0x245ab686, 0xed6bf7d7, 0x0ac4988a, 0x3fe010fa, 0xc65fe369, 0xa45749cb,
    0x2b84e537, 0xde9ff363, 0x20540f9a, 0xaa8c9b34, 0x5bc476b3, 0x1d574bd7, 0x929100ad, 0x4721de4d,
    0x27df1b05, 0x58b18546, 0xb7e76764, 0xdf904e58, 0x97af57a1, 0xbd4dc433, 0xa6256dfd, 0xf63998f3,
    0xf1e05833, 0xe20acf26, 0xf57fd9d6, 0x90300b4d, 0x89df4290, 0x68d01cbc, 0xcf893ee3, 0xcc42a046,
    0x778e181b, 0x67265c76, 0xe981a4c4, 0x82991da1, 0x708f7294, 0xe6e2ae62, 0xfc441870, 0x95e1b0b6,
    0x0445f825, 0x5a93b47f, 0x5e9cf4be, 0x84da71e7, 0x9d9582b0, 0x9bf835ef, 0x591f61e2, 0x43325985,
    0x5d2de32e, 0x8d8fbf0f, 0x95b30f38, 0x07ad5b6e, 0x4e934edf, 0x3cd4990e, 0x9053e259, 0x5c41857d,
};

static uint32_t rotl1(uint32_t v) { return v << 1 | v >> 31; }

static size_t cut_buzhash(const uint8_t *data, size_t len) {
  size_t n = len < BUZHASH_MAX ? len : BUZHASH_MAX;
  if (n < BUZHASH_MIN) return n;
  uint32_t s = 0;
  size_t i = BUZHASH_MIN - BUZHASH_WINDOW;
  for (size_t k = i; k < BUZHASH_MIN; k++) s = rotl1(s) ^ buzhash_table[data[k]];
  /* The byte that leaves is XORed unrotated: a rotation by 32 is none. */
  for (; i + BUZHASH_WINDOW + 1 <= n && (s & BUZHASH_MASK) != 0; i++)
    s = rotl1(s) ^ buzhash_table[data[i]] ^ buzhash_table[data[i + BUZHASH_WINDOW]];
  return i + BUZHASH_WINDOW;
}

#define RABIN_POLYNOMIAL 0x3df305dfb2a805u
#define RABIN_DEGREE 53
#define RABIN_WINDOW 16

static uint64_t rabin_out[256], rabin_mod[256];
static pthread_once_t rabin_once = PTHREAD_ONCE_INIT;

static uint64_t modulo(uint64_t high, uint64_t low) { /* (high·2^64 + low) mod P over GF(2) */
  unsigned __int128 v = (unsigned __int128)high << 64 | low;
  for (int bit = 127; bit >= RABIN_DEGREE; bit--)
    if (v >> bit & 1) v ^= (unsigned __int128)RABIN_POLYNOMIAL << (bit - RABIN_DEGREE);
  return (uint64_t)v;
}

static void make_rabin_tables(void) {
  for (unsigned b = 0; b < 256; b++) {
    uint64_t h = modulo(0, b);
    for (int i = 0; i < RABIN_WINDOW - 1; i++) h = modulo(h >> 56, h << 8);
    rabin_out[b] = h;
    uint64_t shifted = (uint64_t)b << RABIN_DEGREE;
    rabin_mod[b] = modulo(0, shifted) | shifted;
  }
}

static uint64_t slide(uint64_t digest, uint8_t out, uint8_t in) {
  digest ^= rabin_out[out];
  uint64_t i = digest >> (RABIN_DEGREE - 8);
  return (digest << 8 | in) ^ rabin_mod[i];
}

/* Every chunk begins with a zero window into which a 1 was slid; the first min − 16 bytes are not hashed at all. */
static size_t cut_rabin(const ipfsa_chunker_spec *spec, const uint8_t *data, size_t len) {
  pthread_once(&rabin_once, make_rabin_tables);
  uint64_t mask = ((uint64_t)1 << (31 - __builtin_clz(spec->avg))) - 1;
  uint8_t window[RABIN_WINDOW] = {1};
  unsigned pos = 1;
  uint64_t digest = slide(0, 0, 1);
  for (size_t i = spec->min - RABIN_WINDOW; i < len; i++) {
    digest = slide(digest, window[pos], data[i]);
    window[pos] = data[i];
    pos = (pos + 1) % RABIN_WINDOW;
    if (i + 1 >= spec->min && ((digest & mask) == 0 || i + 1 >= spec->max)) return i + 1;
  }
  return len;
}

uint32_t ipfsa_chunker_max(const ipfsa_chunker_spec *spec) {
  return spec->kind == IPFSA_CHUNKER_SIZE || spec->kind == IPFSA_CHUNKER_TENSOR ? spec->size : spec->kind == IPFSA_CHUNKER_RABIN ? spec->max : BUZHASH_MAX;
}

size_t ipfsa_chunker_cut(const ipfsa_chunker_spec *spec, const uint8_t *data, size_t len) {
  switch (spec->kind) {
  case IPFSA_CHUNKER_SIZE:
  case IPFSA_CHUNKER_TENSOR: return len < spec->size ? len : spec->size;
  case IPFSA_CHUNKER_RABIN: return cut_rabin(spec, data, len);
  default: return cut_buzhash(data, len);
  }
}

/* Decimal with an optional sign and leading zeros, as Go reads it; false when it is no number that fits. */
static bool parse_number(const char *text, size_t len, int64_t *ret) {
  int64_t v = 0;
  bool negative = len && text[0] == '-';
  size_t i = len && (text[0] == '-' || text[0] == '+');
  if (i == len) return false;
  for (; i < len; i++)
    if (text[i] < '0' || text[i] > '9' || __builtin_mul_overflow(v, (int64_t)10, &v) || __builtin_add_overflow(v, text[i] - '0', &v))
      return false;
  *ret = negative ? -v : v;
  return true;
}

static ipfsa_status no_number(const char *text, size_t len, ipfsa_error *err) {
  return ipfsa_fail(err, IPFSA_E_INVALID, "chunker: \"%.*s\" is no whole number; write for example size-262144 or rabin-512-1024-2048",
                    (int)len, text);
}

static ipfsa_status too_large(ipfsa_error *err) {
  return ipfsa_fail(err, IPFSA_E_INVALID, "chunker parameters may not exceed the maximum chunk size of %d", IPFSA_MAX_CHUNK);
}

static ipfsa_status parse_size(const char *text, ipfsa_chunker_spec *ret, ipfsa_error *err) {
  int64_t v;
  if (!parse_number(text, strlen(text), &v)) return no_number(text, strlen(text), err);
  if (v <= 0) return ipfsa_fail(err, IPFSA_E_INVALID, "chunker size must be greater than 0");
  if (v > IPFSA_MAX_CHUNK) return too_large(err);
  *ret = (ipfsa_chunker_spec){.kind = IPFSA_CHUNKER_SIZE, .size = (uint32_t)v};
  return IPFSA_OK;
}

static ipfsa_status parse_tensor(const char *text, ipfsa_chunker_spec *ret, ipfsa_error *err) {
  ipfsa_status status = parse_size(text, ret, err);
  if (status) return status;
  if (ret->size < IPFSA_MIN_TENSOR_CHUNK)
    return ipfsa_fail(err, IPFSA_E_INVALID, "chunker tensor-%u: chunks of tensors have %d bytes or more", ret->size, IPFSA_MIN_TENSOR_CHUNK);
  ret->kind = IPFSA_CHUNKER_TENSOR;
  return IPFSA_OK;
}

/* "MIN-AVG-MAX", each perhaps labelled "min:", "avg:", "max:"; or one number, the average. */
static ipfsa_status parse_rabin(const char *text, ipfsa_chunker_spec *ret, ipfsa_error *err) {
  static const char *const labels[] = {"min:", "avg:", "max:"};
  int64_t v[3];
  size_t n = 0;
  for (const char *p = text;; p++) {
    size_t len = strcspn(p, "-");
    if (n == 3) return ipfsa_fail(err, IPFSA_E_INVALID, "incorrect format (expected 'rabin' 'rabin-[avg]' or 'rabin-[min]-[avg]-[max]'");
    const char *number = strncmp(p, labels[n], 4) == 0 ? p + 4 : p;
    if (!parse_number(number, len - (size_t)(number - p), &v[n])) return no_number(number, len - (size_t)(number - p), err);
    n++;
    p += len;
    if (!*p) break;
  }
  if (n == 2) return ipfsa_fail(err, IPFSA_E_INVALID, "incorrect format (expected 'rabin' 'rabin-[avg]' or 'rabin-[min]-[avg]-[max]'");
  if (n == 1) {
    if (v[0] > IPFSA_MAX_CHUNK) return too_large(err);
    v[1] = v[0];
    v[0] = v[1] / 3;
    v[2] = v[1] + v[1] / 2;
  }
  if (v[0] < 16) return ipfsa_fail(err, IPFSA_E_INVALID, "rabin min must be greater than 16: at least 16, the width of its window");
  if (v[0] >= v[1]) return ipfsa_fail(err, IPFSA_E_INVALID, "incorrect format: rabin-min must be smaller than rabin-avg");
  if (v[1] >= v[2]) return ipfsa_fail(err, IPFSA_E_INVALID, "incorrect format: rabin-avg must be smaller than rabin-max");
  if (v[2] > IPFSA_MAX_CHUNK) return too_large(err);
  *ret = (ipfsa_chunker_spec){.kind = IPFSA_CHUNKER_RABIN, .min = (uint32_t)v[0], .avg = (uint32_t)v[1], .max = (uint32_t)v[2]};
  return IPFSA_OK;
}

ipfsa_status ipfsa_chunker_parse(const char *text, ipfsa_chunker_spec *ret, ipfsa_error *err) {
  if (!*text || strcmp(text, "default") == 0) return parse_size("262144", ret, err);
  if (strncmp(text, "size-", 5) == 0) return parse_size(text + 5, ret, err);
  if (strcmp(text, "tensor") == 0) return parse_tensor("1048576", ret, err);
  if (strncmp(text, "tensor-", 7) == 0) return parse_tensor(text + 7, ret, err);
  if (strcmp(text, "rabin") == 0) return parse_rabin("87381-262144-393216", ret, err);
  if (strncmp(text, "rabin-", 6) == 0) return parse_rabin(text + 6, ret, err);
  if (strcmp(text, "buzhash") == 0 || strncmp(text, "buzhash-", 8) == 0) {
    *ret = (ipfsa_chunker_spec){.kind = IPFSA_CHUNKER_BUZHASH, .min = BUZHASH_MIN, .max = BUZHASH_MAX};
    return IPFSA_OK;
  }
  return ipfsa_fail(err, IPFSA_E_INVALID, "unrecognized chunker option: %s", text);
}
