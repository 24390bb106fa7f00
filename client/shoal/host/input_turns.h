// Whose turn it is to have a call open to a host: it takes so many at once, and the others wait in a row.
//
// Ownership:     as a plain object.
// Thread-safety: guarded by its user.
// Blocking:      never blocks.
// Errors:        none.
#ifndef SHOAL_CLIENT_SHOAL_HOST_INPUT_TURNS_H_
#define SHOAL_CLIENT_SHOAL_HOST_INPUT_TURNS_H_

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <utility>

namespace shoal {

template <typename Host, typename Caller>
class InputTurns {
 public:
  explicit InputTurns(size_t most) : most_(most) {}

  // True: it has its turn, until Pass(). False: it waits for one; see Next().
  bool Take(const Host* host, const Caller& caller) {
    Row& row = rows_[host];
    if (row.busy < most_ && row.waiting.empty()) {
      ++row.busy;
      return true;
    }
    row.waiting.push_back(caller);
    return false;
  }
  // Behind all that wait, though there is room: the host has none.
  void Wait(const Host* host, const Caller& caller) { rows_[host].waiting.push_back(caller); }
  // One that had its turn has it no more.
  void Pass(const Host* host) { --rows_[host].busy; }
  // The one whose turn it is now, if one waits and there is room.
  std::optional<Caller> Next(const Host* host) {
    Row& row = rows_[host];
    if (row.busy == most_ || row.waiting.empty()) return std::nullopt;
    ++row.busy;
    Caller next = std::move(row.waiting.front());
    row.waiting.pop_front();
    return next;
  }
  size_t waiting(const Host* host) const {
    const auto row = rows_.find(host);
    return row == rows_.end() ? 0 : row->second.waiting.size();
  }

 private:
  struct Row {
    size_t busy = 0;
    std::deque<Caller> waiting;
  };

  const size_t most_;
  std::map<const Host*, Row> rows_;
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_HOST_INPUT_TURNS_H_
