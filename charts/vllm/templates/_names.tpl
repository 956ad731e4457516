{{/* The release name is the name of the LeaderWorkerSet, and so a prefix of its pods' names and labels. */}}
{{- define "vllm.name" -}}
{{- if gt (len .Release.Name) 40 -}}
{{- fail (printf "the release name %q has %d characters: use at most 40, because LeaderWorkerSet appends to it" .Release.Name (len .Release.Name)) -}}
{{- end -}}
{{- .Release.Name -}}
{{- end -}}

{{/* LeaderWorkerSet creates a headless Service with its own name, so this Service needs another name. */}}
{{- define "vllm.serviceName" -}}{{ include "vllm.name" . }}-api{{- end -}}

{{- define "vllm.readyName" -}}{{ include "vllm.name" . }}-ready{{- end -}}

{{- define "vllm.scriptsName" -}}{{ include "vllm.name" . }}-scripts{{- end -}}

{{/* A volume's node affinity cannot be changed, so other nodes need a new volume with a new name. */}}
{{- define "vllm.weightsName" -}}
{{- $place := list .Values.placement .Values.weights.nodePath .Values.weightsStorage | toJson | sha256sum | trunc 8 -}}
{{ include "vllm.name" . }}-weights-{{ $place }}
{{- end -}}

{{/* Labels of every object. Not for pod templates, where a new chart version would restart the model. */}}
{{- define "vllm.labels" -}}
app.kubernetes.io/name: vllm
app.kubernetes.io/instance: {{ include "vllm.name" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{/*
The revision of the model's pods: a digest of both rendered pod specs and the group size. Changes that do not affect the
pods (replicas, recheck, readiness, a comment in a template) do not change it. The hook Job tests only pods with this revision.
*/}}
{{- define "vllm.revision" -}}
{{- $leader := include "vllm.podSpec" (dict "root" . "role" "leader") | fromYaml -}}
{{- $worker := include "vllm.podSpec" (dict "root" . "role" "worker") | fromYaml -}}
{{- list $leader $worker (int .Values.pipelineParallelSize) | toJson | sha256sum | trunc 16 -}}
{{- end -}}
