// Prints the pods of some namespaces as Prometheus's own discovery makes targets of them, as JSON.
//
//	go run ./cmd/discover KUBECONFIG NAMESPACE...
//
// Put it into cmd/discover of the operator's source, whose go.mod has Prometheus and the Kubernetes client.
package main

import (
	"context"
	"encoding/json"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/discovery"
	"github.com/prometheus/prometheus/discovery/kubernetes"
	"github.com/prometheus/prometheus/discovery/targetgroup"
)

func main() {
	conf := kubernetes.DefaultSDConfig
	conf.Role, conf.KubeConfig, conf.NamespaceDiscovery.Names = kubernetes.RolePod, os.Args[1], os.Args[2:]
	registry := prometheus.NewRegistry()
	metrics := conf.NewDiscovererMetrics(registry, discovery.NewRefreshMetrics(registry))
	discoverer, err := conf.NewDiscoverer(discovery.DiscovererOptions{Metrics: metrics})
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	updates, found := make(chan []*targetgroup.Group), map[string]any{}
	go discoverer.Run(ctx, updates)
	for {
		select {
		case <-ctx.Done():
			json.NewEncoder(os.Stdout).Encode(found)
			return
		case groups := <-updates:
			for _, group := range groups {
				found[group.Source] = map[string]any{"targets": group.Targets, "labels": group.Labels}
			}
		}
	}
}
