variable "prefix" {
  description = "Begins the names of all buckets, which no other project of anybody's may have."
  type        = string
}

variable "location" {
  type = string
}

variable "kms_key" {
  type    = string
  default = null
}

variable "noncurrent_days" {
  description = "Days for which a deleted or overwritten file can be had back."
  type        = number
  default     = 30
}

variable "retention_days" {
  description = "Days for which nothing in the locked bucket can be changed or deleted."
  type        = number
  default     = 2555
}

variable "lock_retention" {
  description = "Makes the retention final. There is no way back, and the bucket can't be deleted before its time."
  type        = bool
}

variable "packages" {
  type = map(object({ file = string }))
}

variable "packages_directory" {
  type = string
}

variable "blob_users" {
  description = "IAM members that read and write files."
  type        = list(string)
}

variable "locked_users" {
  description = "IAM members that write once, and read."
  type        = list(string)
}

variable "package_readers" {
  description = "IAM members that build functions."
  type        = list(string)
}
