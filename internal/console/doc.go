// Package console shows the run ledger to operators: what runs, what failed
// and why, one run's stages, and the lore command for what can be done about
// it. It reads and never writes.
//
// The same templates serve two places. [Site] is the operations console of the
// local stack, on loopback, with plain links. [Widget] is the Lambda function
// of a custom widget in a CloudWatch dashboard, whose links call the function
// again (cwdb-action). Neither needs JavaScript. Whatever they show is taken
// for hostile and escaped: titles, messages and parameters alike.
package console
