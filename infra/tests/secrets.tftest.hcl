# By plan alone: the keys can't be destroyed, which is what a test does with what it applied.
mock_provider "google" {
  override_during = plan
}

variables {
  regions      = ["europe-west1", "europe-west4"]
  kms_location = "europe"
  versions     = { SHARED = 2 }
  values       = { SHARED = "value" }

  functions = {
    a = { member = "serviceAccount:a", secrets = ["SHARED", "OWN"], uses = ["encryption"] }
    b = { member = "serviceAccount:b", secrets = ["SHARED"], uses = ["token-signing"] }
    c = { member = "serviceAccount:c", secrets = [], uses = ["publish"] }
  }
}

run "secrets_and_keys" {
  command = plan

  module {
    source = "./modules/secrets"
  }

  assert {
    condition     = output.readers == { SHARED = toset(["serviceAccount:a", "serviceAccount:b"]), OWN = toset(["serviceAccount:a"]) }
    error_message = "A secret is readable by who does not name it."
  }

  assert {
    condition     = alltrue([for one in values(google_secret_manager_secret_iam_binding.readers) : one.role == "roles/secretmanager.secretAccessor"])
    error_message = "A reader may do more than read."
  }

  assert {
    condition     = keys(google_secret_manager_secret_version.this) == ["SHARED"] && google_secret_manager_secret_version.this["SHARED"].secret_data_wo_version == 2
    error_message = "A version is not the one that is asked for."
  }

  assert {
    condition     = length(google_secret_manager_secret.this["OWN"].replication[0].user_managed[0].replicas) == 2
    error_message = "A secret is not in each region."
  }

  assert {
    condition     = output.encryption_users == toset(["serviceAccount:a"]) && output.signing_users == toset(["serviceAccount:b"])
    error_message = "A key is used by who does not need it."
  }

  assert {
    condition = alltrue([for key in [google_kms_crypto_key.encryption, google_kms_crypto_key.signing] :
      key.purpose == "ENCRYPT_DECRYPT" && key.rotation_period == "7776000s" && key.destroy_scheduled_duration == "2592000s"
    ])
    error_message = "A key does not rotate, or can be gone at once."
  }

  assert {
    condition     = length(google_kms_crypto_key.storage) == 0 && output.storage_key == null
    error_message = "There is a key for stored data that nobody asked for."
  }
}

run "a_key_for_stored_data" {
  command = plan

  module {
    source = "./modules/secrets"
  }

  variables {
    customer_managed = true
    storage_agents   = ["serviceAccount:firestore"]
  }

  assert {
    condition     = google_kms_crypto_key_iam_binding.storage[0].members == toset(["serviceAccount:firestore"])
    error_message = "The services that store can't use it."
  }
}
