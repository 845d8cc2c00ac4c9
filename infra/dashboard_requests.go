package main

import (
	"fmt"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"

	"gitlab.com/lorehook/lorehook/infra/access"
	"gitlab.com/lorehook/lorehook/infra/prices"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// AWS has no metrics about requests to KMS, Secrets Manager and S3, and none about traces,
// or charges for them. These estimates are made of how often functions start. A test
// compares them with what make cost counts.
const (
	// batchPuts and batchGets are requests to S3 for each batch of changes that feed hands
	// to the indexer, and idleGets those of an hour without any.
	batchPuts, batchGets, idleGets = 1.05, 1.03, 18
	// keysOfHour is how often a role asks KMS for a table's key at most: DynamoDB keeps
	// it for five minutes.
	keysOfHour = 12
)

// invocations are those of an hour.
func (f function) invocations() awscloudwatch.IMetric { return f.of("Invocations", hourlySum()) }

// addAtMost adds a metric, of which no more than limit is paid for.
func (h *hourly) addAtMost(m awscloudwatch.IMetric, limit, price float64) {
	id := h.use(m)
	h.terms = append(h.terms, fmt.Sprintf("IF(FILL(%[1]s,0)>%[2]g,%[2]g,FILL(%[1]s,0))*%.12[3]f", id, limit, price))
}

// addHour adds what is the same in every hour.
func (h *hourly) addHour(dollars float64) { h.terms = append(h.terms, fmt.Sprintf("%.12f", dollars)) }

// keysEstimate is of the requests for the keys of tables: a function asks for each table
// that it may use.
func (st *stack) keysEstimate() awscloudwatch.IMetric {
	h := newHourly("k")
	granted := access.Functions()
	for _, f := range st.functions.all() {
		may := granted[f.spec.name]
		if tables := len(may.Tables) + len(may.Streams); tables > 0 {
			h.addAtMost(f.invocations(), keysOfHour, float64(tables)*prices.KeyRequest)
		}
	}
	return h.metric("KMS, at most")
}

// readingsEstimate is of the readings of secrets. A function that stays warm reads its
// secret again before it is too old; the crawler reads GitLab's token with each reconcile,
// and with the hourly check of hooks.
func (st *stack) readingsEstimate() awscloudwatch.IMetric {
	h := newHourly("r")
	readers := []function{st.functions.webhook, st.functions.worker}
	if st.secrets.embedderAPIKey != nil {
		readers = append(readers, st.embedding()...)
	}
	for _, f := range readers {
		h.addAtMost(f.invocations(), time.Hour.Seconds()/surgical.SecretRefreshAge.Seconds(), prices.SecretRead)
	}
	h.addHour(float64(60/st.settings.ReconcileMinutes+1) * prices.SecretRead)
	return h.metric("readings of secrets")
}

// objectsEstimate is of the requests to S3.
func (st *stack) objectsEstimate() awscloudwatch.IMetric {
	h := newHourly("o")
	h.add(st.functions.feed.invocations(), batchPuts*prices.ObjectPut+batchGets*prices.ObjectGet)
	h.addHour(idleGets * prices.ObjectGet)
	return h.metric("S3")
}

// tracesEstimate is of the traces that functions begin: the first in each second, and a
// share of the others. Scheduled functions begin none, and those of the workflow continue
// one.
func (st *stack) tracesEstimate() awscloudwatch.IMetric {
	h := newHourly("x")
	seconds := time.Hour.Seconds()
	for _, f := range []function{st.functions.webhook, st.functions.worker, st.functions.feed, st.functions.api, st.functions.widget} {
		id := h.use(f.invocations())
		h.terms = append(h.terms, fmt.Sprintf("IF(FILL(%[1]s,0)>%[2]g,%[3]g+%[4]g*FILL(%[1]s,0),FILL(%[1]s,0))*%.12[5]f",
			id, seconds, seconds*(1-prices.TracesSampled), prices.TracesSampled, prices.TraceRecorded))
	}
	return h.metric("traces, at most")
}
