terraform {
  required_version = ">= 1.11"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 6.50"
    }
  }

  # Bucket and prefix are the environment's: environments/<name>.backend.hcl, or npm run deploy.
  backend "gcs" {}
}

provider "google" {
  project               = var.project_id
  region                = var.regions[0]
  user_project_override = true
  billing_project       = var.project_id
}
