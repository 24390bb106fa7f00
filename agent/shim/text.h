// Text without a standard library: file names and numbers in fixed buffers.
//
// Thread-safety: plain functions on the caller's memory.
// Errors:        what does not fit is cut; buffers are sized so that it does.
#ifndef SHOAL_AGENT_SHIM_TEXT_H_
#define SHOAL_AGENT_SHIM_TEXT_H_

#include <stddef.h>
#include <stdint.h>
#include <string.h>

namespace shoal::shim {

// A string that is built by appending; always terminated.
template <size_t kSize>
class Text {
 public:
  Text& Add(const char* text) { return Add(text, strlen(text)); }
  Text& Add(const char* text, size_t size) {
    for (size_t i = 0; i < size && length_ + 1 < kSize; ++i) text_[length_++] = text[i];
    text_[length_] = 0;
    return *this;
  }
  Text& Number(uint64_t value, unsigned base = 10, size_t width = 1) {
    char digits[20];
    size_t count = 0;
    do {
      digits[count++] = "0123456789abcdef"[value % base];
      value /= base;
    } while (value != 0 || count < width);
    while (count > 0) Add(&digits[--count], 1);
    return *this;
  }
  const char* c_str() const { return text_; }
  size_t size() const { return length_; }

 private:
  char text_[kSize] = {};
  size_t length_ = 0;
};

}  // namespace shoal::shim

#endif  // SHOAL_AGENT_SHIM_TEXT_H_
