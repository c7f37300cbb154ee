output "blobs" {
  value = google_storage_bucket.blobs.name
}

output "locked" {
  value = google_storage_bucket.locked.name
}

output "packages_bucket" {
  value = google_storage_bucket.packages.name
}

output "packages" {
  description = "The object of each function's package."
  value       = { for name, object in google_storage_bucket_object.package : name => object.name }
  depends_on  = [google_storage_bucket_iam_binding.package_readers]
}

output "retention" {
  value = {
    days   = google_storage_bucket.locked.retention_policy[0].retention_period / 86400
    locked = google_storage_bucket.locked.retention_policy[0].is_locked
  }
}
