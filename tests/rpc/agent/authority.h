// Certificates made by openssl(1) for tests of the edge: two authorities, and what they have signed.
//
// Ownership:     owns a directory, which goes with it.
// Thread-safety: one thread at a time.
// Blocking:      on openssl.
// Errors:        fail the test.
#ifndef SHOAL_TESTS_RPC_AGENT_AUTHORITY_H_
#define SHOAL_TESTS_RPC_AGENT_AUTHORITY_H_

#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "agent/rpc/server.h"

namespace shoal::agent {

inline std::string FileText(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

class Authority {
 public:
  Authority() {
    char name[] = "/tmp/shoal-tls-XXXXXX";
    directory_ = mkdtemp(name);
    for (const char* ca : {"ca", "other"}) {
      Run(absl::StrCat(
          "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
          "-keyout ",
          Path(ca, "key"), " -out ", Path(ca, "pem"), " -subj /CN=", ca));
    }
    Issue("server", "DNS:localhost,IP:127.0.0.1");
  }
  ~Authority() { std::filesystem::remove_all(directory_); }

  // NAME.pem, NAME.key
  std::string Path(std::string name, const std::string& suffix) const {
    std::replace(name.begin(), name.end(), '/', '_');
    return absl::StrCat(directory_, "/", name, ".", suffix);
  }

  // With `san` ("URI:…,DNS:…") unless it is empty, for `days` from now; less than 0: expired.
  void Issue(const std::string& name, const std::string& san, int days = 2,
             const std::string& ca = "ca", const std::string& extension = "") const {
    Run(absl::StrCat("openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ",
                     Path(name, "key"), " -out ", Path(name, "csr"),
                     " -subj '/CN=", absl::StrReplaceAll(name, {{"/", "\\/"}}), "'"));
    std::ofstream(Path(name, "ext"))
        << (san.empty() ? "basicConstraints=CA:FALSE" : absl::StrCat("subjectAltName=", san))
        << "\n"
        << extension << "\n";
    Run(absl::StrCat("openssl x509 -req -days ", days, " -in ", Path(name, "csr"), " -CA ",
                     Path(ca, "pem"), " -CAkey ", Path(ca, "key"), " -CAcreateserial -extfile ",
                     Path(name, "ext"), " -out ", Path(name, "pem")));
  }

  // A revocation list of `ca` in `directory`/list.pem, with the certificate `name` in it.
  void Revoke(const std::string& name, const std::string& directory) const {
    const std::string config = Path("crl", "cnf");
    std::ofstream(config) << "[ca]\ndefault_ca=d\n[d]\ndatabase=" << Path("crl", "db")
                          << "\ncrlnumber=" << Path("crl", "number")
                          << "\ndefault_md=sha256\ndefault_crl_days=1\n";
    std::ofstream(Path("crl", "db"), std::ios::app).flush();
    std::ofstream(Path("crl", "number")) << "01\n";
    const std::string signer = absl::StrCat(" -config ", config, " -cert ", Path("ca", "pem"),
                                            " -keyfile ", Path("ca", "key"));
    if (!name.empty()) Run(absl::StrCat("openssl ca -revoke ", Path(name, "pem"), signer));
    Run(absl::StrCat("openssl ca -gencrl -out ", Path("crl", "pem"), signer));
    std::filesystem::copy_file(Path("crl", "pem"), directory + "/.new",
                               std::filesystem::copy_options::overwrite_existing);
    std::filesystem::rename(directory + "/.new", directory + "/list.pem");
  }

  // Without a name no certificate is shown.
  std::shared_ptr<grpc::ChannelCredentials> CredentialsOf(const std::string& name) const {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = FileText(Path("ca", "pem"));
    if (!name.empty()) {
      options.pem_cert_chain = FileText(Path(name, "pem"));
      options.pem_private_key = FileText(Path(name, "key"));
    }
    return grpc::SslCredentials(options);
  }

  ServerOptions Options() const {
    ServerOptions options;
    options.tcp.listen = {"127.0.0.1:0"};
    options.tcp.tls = {Path("server", "pem"), Path("server", "key"), Path("ca", "pem")};
    return options;
  }

 private:
  void Run(const std::string& command) const {
    ASSERT_EQ(system(absl::StrCat(command, " 2>/dev/null >&2").c_str()), 0) << command;
  }

  std::string directory_;
};

}  // namespace shoal::agent

#endif  // SHOAL_TESTS_RPC_AGENT_AUTHORITY_H_
