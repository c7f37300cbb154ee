output "secrets" {
  description = "The pinned version of each secret that has one."
  value = {
    for name, one in google_secret_manager_secret_version.this : name => {
      secret  = google_secret_manager_secret.this[name].secret_id
      version = one.version
    }
  }

  # A function does not start while it can't read its secrets.
  depends_on = [google_secret_manager_secret_iam_binding.readers]
}

output "readers" {
  description = "Who can read each secret."
  value       = { for name, binding in google_secret_manager_secret_iam_binding.readers : name => binding.members }
}

output "encryption_key" {
  value = google_kms_crypto_key.encryption.id
}

output "signing_key" {
  value = google_kms_crypto_key.signing.id
}

output "encryption_users" {
  value = google_kms_crypto_key_iam_binding.encryption.members
}

output "signing_users" {
  value = google_kms_crypto_key_iam_binding.signing.members
}

output "storage_key" {
  description = "Null where Google's own keys are used."
  value       = var.customer_managed ? google_kms_crypto_key.storage[0].id : null
}
