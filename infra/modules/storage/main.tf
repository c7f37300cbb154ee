# Three buckets: files of tenants, what may not change once written, and the packages that functions are built from.

locals {
  encryption = var.kms_key == null ? [] : [var.kms_key]
}

resource "google_storage_bucket" "blobs" {
  name                        = "${var.prefix}-blobs"
  location                    = var.location
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  versioning {
    enabled = true
  }

  soft_delete_policy {
    retention_duration_seconds = 604800
  }

  # Erasure is erasure: what was deleted or written over is really gone after this.
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      days_since_noncurrent_time = var.noncurrent_days
      with_state                 = "ARCHIVED"
    }
  }

  lifecycle_rule {
    action {
      type = "AbortIncompleteMultipartUpload"
    }
    condition {
      age = 7
    }
  }

  dynamic "encryption" {
    for_each = local.encryption
    content {
      default_kms_key_name = encryption.value
    }
  }
}

# The roots of the audit log. Once locked, nobody can shorten the retention, the project's owner and Google included.
resource "google_storage_bucket" "locked" {
  name                        = "${var.prefix}-locked"
  location                    = var.location
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  retention_policy {
    retention_period = var.retention_days * 86400
    is_locked        = var.lock_retention
  }

  lifecycle_rule {
    action {
      type          = "SetStorageClass"
      storage_class = "ARCHIVE"
    }
    condition {
      age = 90
    }
  }

  dynamic "encryption" {
    for_each = local.encryption
    content {
      default_kms_key_name = encryption.value
    }
  }
}

resource "google_storage_bucket" "packages" {
  name                        = "${var.prefix}-packages"
  location                    = var.location
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  versioning {
    enabled = true
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      days_since_noncurrent_time = 30
      with_state                 = "ARCHIVED"
    }
  }
}

# Named by their hash: another content is another object, and the same content builds nothing anew.
resource "google_storage_bucket_object" "package" {
  for_each = var.packages

  bucket = google_storage_bucket.packages.name
  name   = "${each.key}/${each.value.file}"
  source = "${var.packages_directory}/${each.value.file}"

  lifecycle {
    create_before_destroy = true
  }
}

resource "google_storage_bucket_iam_binding" "blob_users" {
  bucket  = google_storage_bucket.blobs.name
  role    = "roles/storage.objectUser"
  members = var.blob_users
}

# Writes and reads, but neither overwrites nor deletes.
resource "google_storage_bucket_iam_binding" "locked_writers" {
  bucket  = google_storage_bucket.locked.name
  role    = "roles/storage.objectCreator"
  members = var.locked_users
}

resource "google_storage_bucket_iam_binding" "locked_readers" {
  bucket  = google_storage_bucket.locked.name
  role    = "roles/storage.objectViewer"
  members = var.locked_users
}

resource "google_storage_bucket_iam_binding" "package_readers" {
  bucket  = google_storage_bucket.packages.name
  role    = "roles/storage.objectViewer"
  members = var.package_readers
}
