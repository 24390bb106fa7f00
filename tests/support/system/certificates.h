// Certificates made by openssl(1) for one test: an authority and what it has signed.
//
// Thread-safety: main thread only.
#ifndef SHOAL_TESTS_SUPPORT_SYSTEM_CERTIFICATES_H_
#define SHOAL_TESTS_SUPPORT_SYSTEM_CERTIFICATES_H_

#include <string>

namespace shoal::testing {

// Files of one key with its certificate.
struct Credential {
  std::string cert;
  std::string key;
};

class CertificateAuthority {
 public:
  // Files go into `directory`, which exists; `name` tells authorities apart.
  CertificateAuthority(std::string directory, std::string name);

  const std::string& cert() const { return ca_.cert; }

  // For an agent: valid for `address` (an IP address) and for localhost.
  Credential ForHost(const std::string& name, const std::string& address) const;
  // For a client, with `identity` (such as spiffe://shoal.test/alice) as its URI.
  Credential ForClient(const std::string& name, const std::string& identity) const;

 private:
  Credential Sign(const std::string& name, const std::string& extensions) const;

  std::string directory_;
  std::string name_;
  Credential ca_;
};

}  // namespace shoal::testing

#endif  // SHOAL_TESTS_SUPPORT_SYSTEM_CERTIFICATES_H_
