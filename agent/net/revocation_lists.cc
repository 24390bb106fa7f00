#include "agent/net/revocation_lists.h"

#include <fcntl.h>
#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pemerr.h>
#include <openssl/x509.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "agent/os/descriptor.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

using List = std::unique_ptr<X509_CRL, decltype(&X509_CRL_free)>;

std::string DerOf(const X509_NAME* name) {
  const unsigned char* bytes = nullptr;
  size_t size = 0;
  if (X509_NAME_get0_der(name, &bytes, &size) != 1) return "";
  return {reinterpret_cast<const char*>(bytes), size};
}

std::string BytesOf(const ASN1_INTEGER* number) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(number)),
          static_cast<size_t>(ASN1_STRING_length(number))};
}

absl::Status Unusable(const std::string& path, absl::string_view what) {
  ERR_clear_error();
  return absl::FailedPreconditionError(absl::StrCat("--tls-crl-dir: ", path, " ", what));
}

bool IsSigned(X509_CRL* list, const std::vector<Certificate>& authorities) {
  return std::any_of(authorities.begin(), authorities.end(), [list](const Certificate& one) {
    return X509_NAME_cmp(X509_CRL_get_issuer(list), X509_get_subject_name(one.get())) == 0 &&
           X509_CRL_verify(list, X509_get0_pubkey(one.get())) == 1;
  });
}

// In the order of their names, for a state that is the same when they are.
absl::StatusOr<std::vector<std::filesystem::directory_entry>> FilesOf(
    const std::string& directory) {
  std::vector<std::filesystem::directory_entry> files;
  std::error_code error;
  std::filesystem::directory_iterator entry(directory, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    if (entry->path().filename().string().front() != '.') files.push_back(*entry);
  }
  if (error) {
    return ErrnoStatus(error.value(), absl::StrCat("read --tls-crl-dir ", directory));
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

std::string RevocationLists::StateOf(const std::string& directory) {
  const auto files = FilesOf(directory);
  std::string state;
  for (size_t i = 0; files.ok() && i < files->size(); ++i) {
    std::error_code error;
    const std::filesystem::directory_entry& file = (*files)[i];
    absl::StrAppend(&state, file.path().string(), " ", file.file_size(error), " ",
                    file.last_write_time(error).time_since_epoch().count(), "\n");
  }
  return state;
}

absl::StatusOr<RevocationLists> RevocationLists::Read(const std::string& directory,
                                                      absl::string_view ca) {
  RevocationLists lists;
  lists.state_ = StateOf(directory);
  const std::vector<Certificate> authorities = ParseCertificates(ca);
  SHOAL_ASSIGN_OR_RETURN(const auto files, FilesOf(directory));
  for (const std::filesystem::directory_entry& file : files) {
    lists.trouble_.Update(lists.Take(file, authorities));
  }
  return lists;
}

absl::Status RevocationLists::Take(const std::filesystem::directory_entry& file,
                                   const std::vector<Certificate>& authorities) {
  const std::string path = file.path().string();
  std::error_code error;
  if (!file.is_regular_file(error)) return Unusable(path, "is no regular file");
  SHOAL_ASSIGN_OR_RETURN(const std::string text, ReadSmallFile(AT_FDCWD, path));
  std::unique_ptr<BIO, decltype(&BIO_free)> source(
      BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), &BIO_free);
  int count = 0;
  for (;; ++count) {
    const List list(PEM_read_bio_X509_CRL(source.get(), nullptr, nullptr, nullptr), &X509_CRL_free);
    if (list == nullptr) break;
    if (!IsSigned(list.get(), authorities)) {
      return Unusable(path, "has a list that is signed by no certificate of --tls-ca");
    }
    Add(list.get(), path);
  }
  // Behind the last one there is nothing: else a list that cannot be read would be passed over.
  const bool is_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (count == 0) return Unusable(path, "holds no PEM revocation list");
  if (!is_end) return Unusable(path, "has a list that cannot be read");
  return absl::OkStatus();
}

void RevocationLists::Add(X509_crl_st* list, const std::string& path) {
  const ASN1_TIME* next = X509_CRL_get0_nextUpdate(list);
  if (next != nullptr && X509_cmp_current_time(next) < 0) {
    complaints_.push_back(absl::StrCat("revocation list ", path,
                                       " is overdue: it counts on, but who was revoked since is "
                                       "not in it"));
  }
  const std::string issuer = DerOf(X509_CRL_get_issuer(list));
  STACK_OF(X509_REVOKED)* rows = X509_CRL_get_REVOKED(list);
  for (int i = 0; i < sk_X509_REVOKED_num(rows); ++i) {
    revoked_.emplace(issuer,
                     BytesOf(X509_REVOKED_get0_serialNumber(sk_X509_REVOKED_value(rows, i))));
  }
}

bool RevocationLists::IsRevoked(const std::vector<Certificate>& chain) const {
  if (revoked_.empty()) return false;
  return std::any_of(chain.begin(), chain.end(), [this](const Certificate& one) {
    return revoked_.contains(
        {DerOf(X509_get_issuer_name(one.get())), BytesOf(X509_get0_serialNumber(one.get()))});
  });
}

}  // namespace shoal::agent
