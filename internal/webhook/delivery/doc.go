// Package delivery verifies who sent a webhook delivery ([Verifier]) and
// determines which entity it concerns ([Classify]).
//
// A payload is a hint, never a source: it identifies an entity, which is then
// fetched. So only ids are decoded, as loosely as GitLab sends them.
//
// It is separate from package gitlab because that links GitLab's client, which
// would slow every cold start of the webhook.
package delivery
