#include "config/toml.h"

#include <cstdio>
#include <new>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#undef TOML_SHARED_LIB
#undef TOML_HEADER_ONLY
#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 1
#include <toml++/toml.h>

namespace {

struct place {
  const toml::table *table;
  std::string path;
  size_t depth;
};

std::string as_json(const toml::node &node) {
  std::ostringstream out;
  if (const auto *array = node.as_array()) {
    out << toml::json_formatter{*array};
  } else if (const auto *value = node.as_boolean()) {
    out << (value->get() ? "true" : "false");
  } else if (const auto *integer = node.as_integer()) {
    out << integer->get();
  } else if (const auto *real = node.as_floating_point()) {
    out.precision(17);
    out << real->get();
  } else {
    node.visit([&out](const auto &n) { out << n; });
  }
  return out.str();
}

int give(const toml::node &node, const std::string &path, ipfsa_toml_cb cb, void *ctx) {
  uint32_t line = node.source().begin.line;
  if (const auto *text = node.as_string()) {
    if (text->get().find('\0') != std::string::npos) return 1;
    return cb(ctx, path.c_str(), text->get().c_str(), 1, line);
  }
  return cb(ctx, path.c_str(), as_json(node).c_str(), 0, line);
}

}  // namespace

extern "C" int ipfsa_toml_read(const char *text, size_t len, size_t max_depth, size_t max_keys, ipfsa_toml_cb cb, void *ctx, char *ret_message,
                               size_t message_size, uint32_t *ret_line) {
  try {
    toml::table root = toml::parse(std::string_view(text, len));
    std::vector<place> stack{{&root, "", 1}};
    size_t keys = 0;
    while (!stack.empty()) {
      place at = stack.back();
      stack.pop_back();
      if (at.depth > max_depth) return 4;
      for (const auto &[key, node] : *at.table) {
        if (++keys > max_keys) return 4;
        std::string path = at.path.empty() ? std::string(key.str()) : at.path + "." + std::string(key.str());
        if (const auto *table = node.as_table()) stack.push_back({table, path, at.depth + 1});
        else if (give(node, path, cb, ctx) != 0) return 3;
      }
    }
    return 0;
  } catch (const toml::parse_error &error) {
    std::snprintf(ret_message, message_size, "%s", std::string(error.description()).c_str());
    *ret_line = error.source().begin.line;
    return 1;
  } catch (const std::bad_alloc &) {
    return 2;
  } catch (...) {
    std::snprintf(ret_message, message_size, "cannot be read");
    *ret_line = 0;
    return 1;
  }
}
