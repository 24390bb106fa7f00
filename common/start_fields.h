// The fields in which an agent says what a process is to be, as they lie in the payload of a start
// or a fork: KEY=VALUE, each ended by a NUL byte. shoal/v1/fork_protocol.h lists the keys.
//
// Read by the shim and by client/shoal/fork: C headers only, and nothing is allocated.
//
// Ownership:     points into the bytes that it reads; they outlive it.
// Thread-safety: plain data.
// Blocking:      never.
// Errors:        IsWhole(); what is no field is passed over.
#ifndef SHOAL_COMMON_START_FIELDS_H_
#define SHOAL_COMMON_START_FIELDS_H_

#include <stddef.h>
#include <string.h>

namespace shoal {

struct StartField {
  const char* key;  // not terminated
  size_t key_size;
  char* value;  // ended by its NUL byte

  bool Has(const char* wanted) const {
    return strlen(wanted) == key_size && memcmp(key, wanted, key_size) == 0;
  }
};

class StartFields {
 public:
  StartFields(char* bytes, size_t size) : at_(bytes), end_(bytes + size) {}

  // False if the bytes end within a field. Next() must not be called then.
  bool IsWhole() const { return at_ == end_ || end_[-1] == 0; }

  // The next field; false at the end.
  bool Next(StartField* field) {
    while (at_ != end_) {
      char* const text = at_;
      at_ += strlen(text) + 1;
      char* const equals = strchr(text, '=');
      if (equals == nullptr) continue;
      *field = {text, static_cast<size_t>(equals - text), equals + 1};
      return true;
    }
    return false;
  }

 private:
  char* at_;
  char* const end_;
};

}  // namespace shoal

#endif  // SHOAL_COMMON_START_FIELDS_H_
