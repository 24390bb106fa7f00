#include "tests/support/system/certificates.h"

#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/support/system/command.h"

namespace shoal::testing {

CertificateAuthority::CertificateAuthority(std::string directory, std::string name)
    : directory_(std::move(directory)), name_(std::move(name)) {
  const std::string base = absl::StrCat(directory_, "/", name_);
  ca_ = {absl::StrCat(base, ".crt"), absl::StrCat(base, ".key")};
  RunTool({"openssl",
           "req",
           "-x509",
           "-newkey",
           "ec",
           "-pkeyopt",
           "ec_paramgen_curve:P-256",
           "-nodes",
           "-days",
           "2",
           "-subj",
           absl::StrCat("/CN=", name_),
           "-keyout",
           ca_.key,
           "-out",
           ca_.cert,
           "-addext",
           "basicConstraints=critical,CA:TRUE",
           "-addext",
           "keyUsage=critical,keyCertSign,cRLSign"});
}

Credential CertificateAuthority::ForHost(const std::string& name,
                                         const std::string& address) const {
  return Sign(name, absl::StrCat("subjectAltName=IP:", address, ",DNS:localhost,DNS:", name,
                                 ",URI:spiffe://shoal.test/host/", name,
                                 "\nextendedKeyUsage=serverAuth,clientAuth\n"));
}

Credential CertificateAuthority::ForClient(const std::string& name,
                                           const std::string& identity) const {
  return Sign(name,
              absl::StrCat("subjectAltName=URI:", identity, "\nextendedKeyUsage=clientAuth\n"));
}

Credential CertificateAuthority::Sign(const std::string& name,
                                      const std::string& extensions) const {
  const std::string base = absl::StrCat(directory_, "/", name_, "-", name);
  Credential made{absl::StrCat(base, ".crt"), absl::StrCat(base, ".key")};
  const std::string request = absl::StrCat(base, ".csr");
  const std::string extension_file = absl::StrCat(base, ".ext");
  std::ofstream(extension_file) << extensions;
  RunTool({"openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
           "-nodes", "-subj", absl::StrCat("/CN=", name), "-keyout", made.key, "-out", request});
  RunTool({"openssl", "x509", "-req", "-in", request, "-CA", ca_.cert, "-CAkey", ca_.key,
           "-CAcreateserial", "-days", "2", "-extfile", extension_file, "-out", made.cert});
  return made;
}

}  // namespace shoal::testing
