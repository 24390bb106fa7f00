// The words for certificates that do not go together: each row of the table.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "shoal/wire/tls_trouble.h"
#include "tests/support/self_signed.h"

namespace shoal {
namespace {

using ::shoal::testing::FileWith;
using ::shoal::testing::MakeSelfSigned;

grpc::Status Failed(const std::string& why) {
  return grpc::Status(grpc::StatusCode::UNAVAILABLE,
                      absl::StrCat("failed to connect to all addresses; last error: UNKNOWN: "
                                   "ipv4:10.0.0.3:7420: ",
                                   why));
}

TEST(TlsTrouble, IsASentenceWithTheFilesAndWhatToDo) {
  const auto own = MakeSelfSigned();
  const std::string cert = FileWith(own.certificate), key = FileWith(own.key),
                    ca = FileWith(own.certificate);
  const absl::StatusOr<Credentials> shown = Credentials::Load({cert, key, ca});
  ASSERT_TRUE(shown.ok()) << shown.status();
  EXPECT_EQ(TellTlsTrouble(Failed("Ssl handshake failed: SSL_ERROR_SSL: error:0A000086:SSL "
                                  "routines::certificate verify failed"),
                           *shown),
            absl::StrReplaceAll("its certificate does not verify by $ca: another CA has signed it, "
                                "or it is not valid now; give the CA of the agents (--tls-ca, "
                                "SHOAL_TLS_CA), or the agent a certificate of this one",
                                {{"$ca", ca}}));
  EXPECT_EQ(
      TellTlsTrouble(Failed("Ssl handshake failed: SSL_ERROR_SSL: error:0A00010B:SSL "
                            "routines::wrong version number"),
                     *shown),
      "it speaks no TLS on that port: an agent with --insecure-loopback is spoken to without a "
      "certificate (unset SHOAL_TLS_CERT, SHOAL_TLS_KEY and SHOAL_TLS_CA), and what else "
      "listens there is no agent");
  for (const char* why : {"Socket closed", "recvmsg:Connection reset by peer"}) {
    EXPECT_EQ(
        TellTlsTrouble(Failed(why), *shown),
        absl::StrReplaceAll(
            "it closed the connection during the TLS handshake, as an agent does whose --tls-ca "
            "has not signed $cert, or that has no room for another connection; its log says which",
            {{"$cert", cert}}));
    EXPECT_EQ(TellTlsTrouble(Failed(why), Credentials()),
              "it closed the connection, which was plaintext: an agent that speaks TLS is shown a "
              "certificate (--tls-cert, --tls-key and --tls-ca, or SHOAL_TLS_CERT, SHOAL_TLS_KEY "
              "and SHOAL_TLS_CA)");
  }
  for (const std::string& file : {cert, key, ca}) unlink(file.c_str());
}

TEST(TlsTrouble, WhatIsNoneIsLeftToOthers) {
  EXPECT_EQ(TellTlsTrouble(Failed("Connection refused"), Credentials()), "");
  EXPECT_EQ(
      TellTlsTrouble(grpc::Status(grpc::StatusCode::UNAVAILABLE, "Socket closed"), Credentials()),
      "")
      << "the connection had come about";
}

}  // namespace
}  // namespace shoal
