# A secret for each name in the manifest, readable by just the functions that name it, and the keys of Cloud KMS.

locals {
  readers = {
    for name in distinct(flatten(values(var.functions)[*].secrets)) : name => [
      for function in values(var.functions) : function.member if contains(function.secrets, name)
    ]
  }

  encryption_users = [for function in values(var.functions) : function.member if contains(function.uses, "encryption")]
  signing_users    = [for function in values(var.functions) : function.member if contains(function.uses, "token-signing")]
}

resource "google_secret_manager_secret" "this" {
  for_each = local.readers

  secret_id = each.key

  replication {
    user_managed {
      dynamic "replicas" {
        for_each = var.regions
        content {
          location = replicas.value
        }
      }
    }
  }
}

# Values are written and never read back: they are in no state. A new number makes a new version, and the version
# before it is only disabled, so that it can be had back. Without a value a new version is refused, as it would be empty.
resource "google_secret_manager_secret_version" "this" {
  for_each = { for name, number in var.versions : name => number if contains(keys(local.readers), name) }

  secret                 = google_secret_manager_secret.this[each.key].id
  secret_data_wo         = lookup(var.values, each.key, "")
  secret_data_wo_version = each.value
  deletion_policy        = "DISABLE"

  lifecycle {
    create_before_destroy = true
  }
}

# Named whole: who is not in it can't read.
resource "google_secret_manager_secret_iam_binding" "readers" {
  for_each = local.readers

  secret_id = google_secret_manager_secret.this[each.key].id
  role      = "roles/secretmanager.secretAccessor"
  members   = each.value
}

resource "google_kms_key_ring" "this" {
  name     = "omni"
  location = var.kms_location
}

# Wraps the keys of tenants. Old versions stay, so that what they wrapped can be opened.
resource "google_kms_crypto_key" "encryption" {
  name                       = "tenant-keys"
  key_ring                   = google_kms_key_ring.this.id
  purpose                    = "ENCRYPT_DECRYPT"
  rotation_period            = "7776000s"
  destroy_scheduled_duration = "2592000s"

  version_template {
    algorithm        = "GOOGLE_SYMMETRIC_ENCRYPTION"
    protection_level = var.protection_level
  }

  lifecycle {
    prevent_destroy = true
  }
}

# Wraps the private keys that sign access tokens.
resource "google_kms_crypto_key" "signing" {
  name                       = "token-signing"
  key_ring                   = google_kms_key_ring.this.id
  purpose                    = "ENCRYPT_DECRYPT"
  rotation_period            = "7776000s"
  destroy_scheduled_duration = "2592000s"

  version_template {
    algorithm        = "GOOGLE_SYMMETRIC_ENCRYPTION"
    protection_level = var.protection_level
  }

  lifecycle {
    prevent_destroy = true
  }
}

resource "google_kms_crypto_key_iam_binding" "encryption" {
  crypto_key_id = google_kms_crypto_key.encryption.id
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  members       = local.encryption_users
}

resource "google_kms_crypto_key_iam_binding" "signing" {
  crypto_key_id = google_kms_crypto_key.signing.id
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  members       = local.signing_users
}

# Where an environment wants its stored data under a key of its own.
resource "google_kms_crypto_key" "storage" {
  count = var.customer_managed ? 1 : 0

  name            = "stored-data"
  key_ring        = google_kms_key_ring.this.id
  purpose         = "ENCRYPT_DECRYPT"
  rotation_period = "7776000s"

  lifecycle {
    prevent_destroy = true
  }
}

resource "google_kms_crypto_key_iam_binding" "storage" {
  count = var.customer_managed ? 1 : 0

  crypto_key_id = google_kms_crypto_key.storage[0].id
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  members       = var.storage_agents
}
