// Package webhook answers GitLab's deliveries: it verifies one, finds out which
// entity it concerns, puts a request on the queue, and says so. It reads
// nothing of the payload but ids, and calls nothing but the queue and, for its
// tokens, the secret.
//
// The answers:
//
//	202  {"status":"queued","run_id":…,"project_id":…,"targets":[{"type":"issue","iid":7}]}
//	200  {"status":"ignored","reason":…}, for what is valid and none of ours
//	400  invalid_request, no JSON object or no base64
//	401  invalid_signature
//	413  payload_too_large
//	503  queue_unavailable or internal, with Retry-After: nothing was queued for
//	     sure, and the delivery may be sent again
//
// All but the first two are problems as of RFC 9457 with code, message, action
// and retryable. A message is on the queue if, and as far as anybody can know
// only if, the answer is 202.
package webhook
