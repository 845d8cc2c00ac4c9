package main

import (
	"log/slog"
	"reflect"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/function"
	"gitlab.com/lorehook/lorehook/internal/function/config"
)

// A field that is left out shows only when its route is called.
func TestOptions_LeavesNothingOut(t *testing.T) {
	c := config.API{Reconciles: config.Reconciles{ReconcileMinutes: 5}}
	if err := c.Projects.UnmarshalText([]byte("1,2")); err != nil {
		t.Fatal(err)
	}
	o := reflect.ValueOf(options(function.Env[config.API]{Config: c, Log: slog.New(slog.DiscardHandler)}))
	for i := range o.NumField() {
		if o.Field(i).IsZero() {
			t.Errorf("%s is not set", o.Type().Field(i).Name)
		}
	}
}
