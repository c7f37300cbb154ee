variable "region" {
  type = string
}

variable "topic_id" {
  type = string
}

variable "paused" {
  description = "Stops all timers, such as in a second deployment that stands by."
  type        = bool
  default     = false
}

variable "schedules" {
  type = list(object({
    name      = string
    cron      = string
    timeZone  = string
    retries   = number
    eventType = string
    data      = map(string)
  }))
}
