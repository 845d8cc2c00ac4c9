package dashboard

import (
	"fmt"
	"math"
	"time"
)

// The states of an alarm.
const (
	stateOK     = "OK"
	stateAlarm  = "in alarm"
	stateNoData = "OK (no data)"
)

// state returns the alarm's state at the end of the recording.
func (r Recording) state(a Alarm) (string, error) {
	var dimensions []string
	for _, d := range a.Dimensions {
		dimensions = append(dimensions, d.Name+"="+d.Value)
	}
	stat := a.Statistic
	if stat == "" {
		stat = a.ExtendedStatistic
	}
	values, recorded, err := r.line(Key(a.Namespace, a.MetricName, dimensions...), stat, max(Bin, time.Duration(a.Period)*time.Second))
	if err != nil {
		return "", err
	}
	below := a.ComparisonOperator == "LessThanThreshold"
	if !below && a.ComparisonOperator != "GreaterThanOrEqualToThreshold" {
		return "", fmt.Errorf("%s compares by %s, which is not drawn", a.AlarmName, a.ComparisonOperator)
	}
	breaching := 0
	for _, v := range values[max(0, len(values)-a.EvaluationPeriods):] {
		switch {
		case math.IsNaN(v):
			if a.TreatMissingData == "breaching" {
				breaching++
			}
		case below == (v < a.Threshold):
			breaching++
		}
	}
	switch {
	case breaching >= max(1, a.DatapointsToAlarm):
		return stateAlarm, nil
	case !recorded:
		return stateNoData, nil
	}
	return stateOK, nil
}
