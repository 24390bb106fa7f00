// A key with a certificate of its own, made without a process, and a file for either.
//
// Ownership:     values; the files are the test's.
// Thread-safety: thread-safe.
// Blocking:      on the file system.
// Errors:        fail the test.
#ifndef SHOAL_TESTS_SUPPORT_SELF_SIGNED_H_
#define SHOAL_TESTS_SUPPORT_SELF_SIGNED_H_

#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <unistd.h>

#include <memory>
#include <string>

namespace shoal::testing {

struct SelfSigned {
  std::string certificate;  // PEM
  std::string key;
};

inline std::string TextOf(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return std::string(data, static_cast<size_t>(size));
}

// Of a certificate; times in seconds from now. `names` and `use` as openssl.cnf has them: "DNS:a,URI:b",
// "serverAuth"; empty: no such extension.
struct CertificateForm {
  long begin = 0;
  long end = 3600;
  std::string names = "";
  std::string use = "";
};

inline void AddExtension(X509* certificate, int nid, const std::string& value) {
  if (value.empty()) return;
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
  ASSERT_NE(extension, nullptr) << value;
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

inline SelfSigned MakeSelfSigned(const CertificateForm& form = {}) {
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), &EVP_PKEY_free);
  std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), &X509_free);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), form.begin);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), form.end);
  X509_set_version(certificate.get(), X509_VERSION_3);
  AddExtension(certificate.get(), NID_subject_alt_name, form.names);
  AddExtension(certificate.get(), NID_ext_key_usage, form.use);
  X509_set_pubkey(certificate.get(), key.get());
  EXPECT_GT(X509_sign(certificate.get(), key.get(), EVP_sha256()), 0);
  std::unique_ptr<BIO, decltype(&BIO_free)> certificate_text(BIO_new(BIO_s_mem()), &BIO_free);
  std::unique_ptr<BIO, decltype(&BIO_free)> key_text(BIO_new(BIO_s_mem()), &BIO_free);
  EXPECT_EQ(PEM_write_bio_X509(certificate_text.get(), certificate.get()), 1);
  EXPECT_EQ(
      PEM_write_bio_PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr),
      1);
  return {TextOf(certificate_text.get()), TextOf(key_text.get())};
}

// The path of a new file with this text.
inline std::string FileWith(const std::string& text) {
  std::string path = ::testing::TempDir() + "/shoal-pem-XXXXXX";
  const int fd = mkstemp(path.data());
  EXPECT_EQ(write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  close(fd);
  return path;
}

}  // namespace shoal::testing

#endif  // SHOAL_TESTS_SUPPORT_SELF_SIGNED_H_
