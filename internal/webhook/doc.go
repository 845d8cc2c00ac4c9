// Package webhook answers GitLab's deliveries: it verifies one, finds out which
// entity it concerns, puts a request on the queue, and says so. It reads
// nothing of the payload but ids, and calls nothing but the queue and, for its
// tokens, the secret.
//
// The answers:
//
//	202  {"status":"queued","run_id":…,"project_id":…,"targets":[{"type":"issue","iid":7}]}
//	200  {"status":"ignored","reason":…}, for what is valid and none of ours
//	400  invalid_request: the body is not a JSON object or not valid base64
//	401  invalid_signature
//	413  payload_too_large
//	500  internal
//	503  queue_unavailable, or internal if the tokens cannot be read or none is
//	     configured; with Retry-After
//
// All but the first two are problem documents (RFC 9457, package problem), with
// the text in both detail and message. After a 5xx the delivery may be sent
// again. A message is on the queue if, and as far as anyone can know only if,
// the answer is 202.
package webhook
