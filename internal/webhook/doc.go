// Package webhook handles GitLab's deliveries. It verifies a delivery,
// determines which entity it concerns, and sends a request to the queue. It
// reads only ids from the payload, and calls only the queue and, for its tokens,
// Secrets Manager.
//
// The responses:
//
//	202  {"status":"queued","run_id":…,"project_id":…,"targets":[{"type":"issue","iid":7}],
//	     "resend_after":"2026-05-28T07:05:01Z"}
//	200  {"status":"ignored","reason":…}: valid, but not about an entity that is kept
//	400  invalid_request: the body is not a JSON object or not valid base64
//	401  invalid_signature
//	413  payload_too_large
//	500  internal
//	503  queue_unavailable, or internal if the tokens could not be read for 15 minutes
//	     or none can be used; with Retry-After
//
// SQS ignores a delivery that is repeated within five minutes. If the run fails
// before resend_after, a resend until then changes nothing, and one after it retries
// the run; the API's retry-failed retries it at any time.
//
// All but the first two are problem documents (RFC 9457, package problem), with
// the text in both detail and message. After a 5xx the delivery may be sent
// again. If the response is 202, a message is on the queue. If it is not, there
// is none, unless SQS stored a message without confirming it.
package webhook
