variable "name" {
  type = string
}

variable "location" {
  description = "A multi-region such as eur3 or nam5, or one region. It can't be changed later."
  type        = string
}

variable "delete_protection" {
  type    = bool
  default = true
}

variable "kms_key" {
  description = "Encrypts the database. Google's own key where null. It can't be changed later."
  type        = string
  default     = null
}

variable "daily_backups" {
  description = "Days for which the backup of each day is kept."
  type        = number
  default     = 7

  validation {
    condition     = var.daily_backups >= 1 && var.daily_backups <= 98
    error_message = "Firestore keeps a backup for 1 to 98 days."
  }
}

variable "weekly_backups" {
  description = "Weeks for which the backup of each week is kept."
  type        = number
  default     = 14

  validation {
    condition     = var.weekly_backups >= 1 && var.weekly_backups <= 14
    error_message = "Firestore keeps a backup for 1 to 14 weeks."
  }
}

variable "indexes" {
  description = "As in firestore.indexes.json."
  type        = any
}

variable "field_overrides" {
  description = "As in firestore.indexes.json."
  type        = any
}
