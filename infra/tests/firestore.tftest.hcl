mock_provider "google" {}

variables {
  name              = "(default)"
  location          = "nam5"
  delete_protection = false

  indexes = [
    { collectionGroup = "things", queryScope = "COLLECTION", fields = [{ fieldPath = "owner", order = "ASCENDING" }, { fieldPath = "at", order = "DESCENDING" }] },
    { collectionGroup = "things", queryScope = "COLLECTION", fields = [{ fieldPath = "tags", arrayConfig = "CONTAINS" }, { fieldPath = "at", order = "DESCENDING" }] },
    { collectionGroup = "chunks", queryScope = "COLLECTION", fields = [{ fieldPath = "vector", vectorConfig = { dimension = 768, flat = {} } }] },
  ]

  field_overrides = [
    { collectionGroup = "things", fieldPath = "expiresAt", ttl = true, indexes = [{ order = "ASCENDING", queryScope = "COLLECTION" }] },
    { collectionGroup = "things", fieldPath = "text", indexes = [] },
  ]
}

run "the_database" {
  module {
    source = "./modules/firestore"
  }

  assert {
    condition = alltrue([
      google_firestore_database.this.type == "FIRESTORE_NATIVE",
      google_firestore_database.this.location_id == "nam5",
      google_firestore_database.this.point_in_time_recovery_enablement == "POINT_IN_TIME_RECOVERY_ENABLED",
      length(google_firestore_database.this.cmek_config) == 0,
    ])
    error_message = "It is no native database of that place that can be had back as of any minute."
  }

  assert {
    condition     = google_firestore_backup_schedule.daily.retention == "604800s" && google_firestore_backup_schedule.weekly.retention == "8467200s"
    error_message = "Backups are not kept for 7 days and 14 weeks."
  }

  assert {
    condition     = length(google_firestore_index.this) == 3 && google_firestore_index.this["chunks-collection-vector_vector768"].fields[0].vector_config[0].dimension == 768
    error_message = "An index is missing."
  }

  assert {
    condition     = google_firestore_index.this["things-collection-tags_contains-at_descending"].fields[0].array_config == "CONTAINS"
    error_message = "An index over a list is not one."
  }

  assert {
    condition     = output.expiring == ["things/expiresAt"] && length(google_firestore_field.this["things/text"].index_config[0].indexes) == 0
    error_message = "What expires does not, or what no query names is indexed."
  }
}

run "is_protected" {
  command = plan

  module {
    source = "./modules/firestore"
  }

  variables {
    delete_protection = true
    kms_key           = "projects/p/locations/us/keyRings/r/cryptoKeys/k"
  }

  assert {
    condition     = google_firestore_database.this.delete_protection_state == "DELETE_PROTECTION_ENABLED" && google_firestore_database.this.deletion_policy == "ABANDON"
    error_message = "It could be deleted."
  }

  assert {
    condition     = google_firestore_database.this.cmek_config[0].kms_key_name == var.kms_key
    error_message = "It is not under the project's own key."
  }
}

run "refuses_backups_that_firestore_does_not_keep" {
  command = plan

  module {
    source = "./modules/firestore"
  }

  variables {
    weekly_backups = 15
  }

  expect_failures = [var.weekly_backups]
}
