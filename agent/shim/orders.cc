#include "agent/shim/orders.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

namespace shoal::shim {

Order AwaitOrder(char* payload_room) {
  Order order;
  int fds[record::kMaxOrderDescriptors] = {-1, -1};
  alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(fds))];
  struct iovec data[] = {{order.text, sizeof(order.text) - 1},
                         {payload_room, record::kMaxPayloadBytes}};
  struct msghdr message = {};
  message.msg_iov = data;
  message.msg_iovlen = 2;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  ssize_t size;
  do {
    size = recvmsg(record::kOrdersFd, &message, MSG_CMSG_CLOEXEC);
  } while (size < 0 && errno == EINTR);
  if (size <= 0) return order;
  if (const struct cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr) {
    memcpy(fds, CMSG_DATA(header), header->cmsg_len - CMSG_LEN(0));
  }
  const auto bytes = static_cast<size_t>(size);
  const bool is_start = bytes >= record::kMaxOrderBytes &&
                        strncmp(order.text, record::kStartOrder, strlen(record::kStartOrder)) == 0;
  order.kind = is_start ? Order::kStart : Order::kFreed;
  const int* fd = fds;
  if (bytes > record::kMaxOrderBytes) {
    order.payload_size = bytes - record::kMaxOrderBytes;
  } else {
    order.payload_fd = *fd++;
  }
  order.cgroup_fd = *fd;
  return order;
}

Title::Title(int argc, char** argv) {
  char* const last = argv[argc - 1];
  if (argc <= record::kShimArgs || strcmp(last, record::kTitle) != 0) return;
  memset(last, 0, record::kTitleRoom);
  begin_ = argv[record::kShimArgs];
  room_ = static_cast<size_t>(last - begin_) + record::kTitleRoom;
}

// The byte behind the room is a NUL, and stays: by it the kernel knows where the words end.
void Title::Show(const char* id, size_t id_size, const char* name) {
  if (id_size >= room_) return;
  memset(begin_, 0, room_);
  memcpy(begin_, id, id_size);
  memcpy(begin_ + id_size + 1, name, strnlen(name, room_ - id_size - 1));
}

}  // namespace shoal::shim
