package cost

// Lines that AWS adds for each invocation and for each request to the gateway, in the
// format of its documentation, with values of typical length.
const (
	platformStart  = `{"time":"2026-05-28T07:00:00.123Z","type":"platform.start","record":{"requestId":"6d68ca91-49c9-448d-89b8-7ca3e6dc66aa","version":"$LATEST","tracing":{"spanId":"54565fb41ac79632","type":"X-Amzn-Trace-Id","value":"Root=1-62e900b2-710d76f009d6e7785905449a;Parent=0efbd19962d95b05;Sampled=1"}}}`
	platformReport = `{"time":"2026-05-28T07:00:00.323Z","type":"platform.report","record":{"requestId":"6d68ca91-49c9-448d-89b8-7ca3e6dc66aa","metrics":{"durationMs":101.51,"billedDurationMs":102,"memorySizeMB":512,"maxMemoryUsedMB":61},"tracing":{"spanId":"54565fb41ac79632","type":"X-Amzn-Trace-Id","value":"Root=1-62e900b2-710d76f009d6e7785905449a;Parent=0efbd19962d95b05;Sampled=1"},"status":"success"}}`
	accessLine     = `{"error":"-","integrationError":"-","ip":"34.74.226.1","latency":"23","requestId":"JKJaXmPLvHcESHA=","requestTime":"28/May/2026:07:00:00 +0000","responseLength":"118","routeKey":"POST /webhooks/gitlab","status":"202"}`
	// perLine is the overhead in bytes that CloudWatch Logs bills per event.
	perLine = 26
)

func sizeOf(line string) float64 { return float64(len(line) + perLine) }

// platform is the bytes that Lambda writes for each invocation.
func platform() float64 { return sizeOf(platformStart) + sizeOf(platformReport) }
