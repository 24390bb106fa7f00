#include "common/certificate.h"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <time.h>

namespace shoal {
namespace {

absl::Time TimeOf(const ASN1_TIME* moment) {
  tm fields{};
  if (ASN1_TIME_to_tm(moment, &fields) != 1) return absl::InfinitePast();
  return absl::FromTM(fields, absl::UTCTimeZone());
}

}  // namespace

void CertificateFree::operator()(x509_st* certificate) const { X509_free(certificate); }

std::vector<Certificate> ParseCertificates(absl::string_view pem) {
  std::vector<Certificate> certificates;
  if (pem.empty()) return certificates;  // a caller without any does not make libcrypto ready
  std::unique_ptr<BIO, decltype(&BIO_free)> source(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
  while (X509* one = PEM_read_bio_X509(source.get(), nullptr, nullptr, nullptr)) {
    certificates.emplace_back(one);
  }
  ERR_clear_error();
  return certificates;
}

void FreeCryptoOfThread() { OPENSSL_thread_stop(); }

absl::Time ValidFrom(const x509_st& certificate) {
  return TimeOf(X509_get0_notBefore(&certificate));
}

absl::Time ValidUntil(const x509_st& certificate) {
  return TimeOf(X509_get0_notAfter(&certificate));
}

std::string SerialOf(const x509_st& certificate) {
  std::unique_ptr<BIGNUM, decltype(&BN_free)> number(
      ASN1_INTEGER_to_BN(X509_get0_serialNumber(&certificate), nullptr), &BN_free);
  if (number == nullptr) return "";
  char* digits = BN_bn2hex(number.get());
  std::string text = digits == nullptr ? "" : digits;
  OPENSSL_free(digits);
  return text;
}

bool IsSignedBy(x509_st* certificate, x509_st* issuer) {
  const bool is = X509_check_issued(issuer, certificate) == X509_V_OK &&
                  X509_verify(certificate, X509_get0_pubkey(issuer)) == 1;
  ERR_clear_error();
  return is;
}

}  // namespace shoal
