mock_provider "google" {}

variables {
  prefix             = "omni-test"
  location           = "EU"
  lock_retention     = true
  packages           = { thing = { file = "thing-abc.zip" } }
  packages_directory = "../dist/packages"
  blob_users         = ["serviceAccount:a"]
  locked_users       = ["serviceAccount:b"]
  package_readers    = ["serviceAccount:build"]
}

run "buckets" {
  module {
    source = "./modules/storage"
  }

  assert {
    condition = alltrue([for bucket in [google_storage_bucket.blobs, google_storage_bucket.locked, google_storage_bucket.packages] :
      bucket.uniform_bucket_level_access && bucket.public_access_prevention == "enforced"
    ])
    error_message = "A bucket could be made public."
  }

  assert {
    condition     = google_storage_bucket.locked.retention_policy[0].is_locked && google_storage_bucket.locked.retention_policy[0].retention_period == 2555 * 86400
    error_message = "The roots of the audit log could be changed."
  }

  assert {
    condition = anytrue([for rule in google_storage_bucket.blobs.lifecycle_rule :
      one(rule.action).type == "Delete" && one(rule.condition).days_since_noncurrent_time == 30
    ])
    error_message = "What is erased would be kept for ever."
  }

  assert {
    condition     = google_storage_bucket_object.package["thing"].name == "thing/thing-abc.zip" && google_storage_bucket_object.package["thing"].source == "../dist/packages/thing-abc.zip"
    error_message = "A package is not named by its hash."
  }

  assert {
    condition = alltrue([
      google_storage_bucket_iam_binding.blob_users.role == "roles/storage.objectUser",
      google_storage_bucket_iam_binding.blob_users.members == toset(["serviceAccount:a"]),
      google_storage_bucket_iam_binding.locked_writers.role == "roles/storage.objectCreator",
      google_storage_bucket_iam_binding.locked_writers.members == toset(["serviceAccount:b"]),
      google_storage_bucket_iam_binding.locked_readers.role == "roles/storage.objectViewer",
      google_storage_bucket_iam_binding.package_readers.members == toset(["serviceAccount:build"]),
    ])
    error_message = "Others may read or write, or more than they need."
  }
}

run "take_the_projects_own_key" {
  module {
    source = "./modules/storage"
  }

  variables {
    kms_key = "k"
  }

  assert {
    condition     = google_storage_bucket.blobs.encryption[0].default_kms_key_name == "k" && google_storage_bucket.locked.encryption[0].default_kms_key_name == "k"
    error_message = "Files are not under the project's own key."
  }
}
