{{/* The release name is the name of the LeaderWorkerSet, and so a prefix of its pods' names and labels. */}}
{{- define "vllm.name" -}}
{{- if gt (len .Release.Name) 40 -}}
{{- fail (printf "the release name %q has %d characters; at most 40 leave room for what LeaderWorkerSet appends" .Release.Name (len .Release.Name)) -}}
{{- end -}}
{{- .Release.Name -}}
{{- end -}}

{{/* LeaderWorkerSet makes a headless Service with its own name, so ours needs another. */}}
{{- define "vllm.serviceName" -}}{{ include "vllm.name" . }}-api{{- end -}}

{{- define "vllm.readyName" -}}{{ include "vllm.name" . }}-ready{{- end -}}

{{- define "vllm.scriptsName" -}}{{ include "vllm.name" . }}-scripts{{- end -}}

{{/* The nodes a volume is on cannot be changed, so another choice of nodes is another volume, with another name. */}}
{{- define "vllm.weightsName" -}}
{{- $place := list .Values.placement .Values.weights.nodePath .Values.weightsStorage | toJson | sha256sum | trunc 8 -}}
{{ include "vllm.name" . }}-weights-{{ $place }}
{{- end -}}

{{/* Labels of every object. Not for pod templates: the chart's version there would restart the model. */}}
{{- define "vllm.labels" -}}
app.kubernetes.io/name: vllm
app.kubernetes.io/instance: {{ include "vllm.name" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{/*
The revision of the model's pods: a digest of both rendered pod specs and of the group's size. What leaves the pods as
they are (replicas, recheck, readiness, a comment in a template) leaves it as it is, too. The hook Job asks only pods that carry it.
*/}}
{{- define "vllm.revision" -}}
{{- $leader := include "vllm.podSpec" (dict "root" . "role" "leader") | fromYaml -}}
{{- $worker := include "vllm.podSpec" (dict "root" . "role" "worker") | fromYaml -}}
{{- list $leader $worker (int .Values.pipelineParallelSize) | toJson | sha256sum | trunc 16 -}}
{{- end -}}
