/**
 * Seventeen model servers as a user would write them, each another shape of the contract. They load
 * (test/config/models.test.ts), and those with a double are asked (test/inference/examples.test.ts).
 */

/** Settings of one model each, in YAML, without its segments. */
export const EXAMPLES = {
  triton: `
    url: http://gpu1:8000/v2/models/teeth/infer
    health: { get: /v2/models/teeth/ready, ready: [200] }
    slots: { gpu: 1 }
    limits: { requestBytes: 1GiB }
    request: { format: kserve, input: IMAGE, datatype: FP32, layout: "N,C,Z,Y,X", orientation: LPS, spacing: SPACING, parameters: { priority: 1 } }
    response: { output: SEG, as: { probabilities: { reduce: argmax } } }`,
  torchserve: `
    url: http://gpu1:8080/predictions/sinus
    auth: { bearer: "\${secret:ts_inference_key}" }
    request: { format: nifti, compression: gzip, level: 1, body: raw }
    response: { unwrap: [gzip], as: labelmap }`,
  bento: `
    url: http://gpu1:3000
    request: { format: nifti, compression: gzip, body: { multipart: [{ name: image, filename: v.nii.gz, data: "\${volume.bytes}" }] } }
    transport:
      poll:
        submit: { post: /segment/submit, capture: { id: /task_id } }
        status: { get: "/segment/status?task_id=\${id}", every: 2s, state: { pointer: /status, done: [completed, success], failed: [failed, failure, canceled] } }
        result: { get: "/segment/get?task_id=\${id}" }
        cancel: { put: "/segment/cancel?task_id=\${id}" }
    response: { as: labelmap }`,
  ray: `
    url: http://gpu2:8000/seg
    request: { format: nifti, body: raw }
    statuses: { busy: [429, 503] }
    attempts: 8`,
  fastapi: `
    url: http://gpu2:9000/predict
    request:
      format: nifti
      compression: gzip
      body: { multipart: [{ name: file, filename: scan.nii.gz, type: application/gzip, data: "\${volume.bytes}" }, { name: threshold, data: "0.5" }] }
    response: { unwrap: [gzip], as: labelmap }`,
  monailabel: `
    url: http://gpu2:8001/infer/deepedit_seg?output=all
    health: { get: /info/ }
    request:
      format: nifti
      compression: gzip
      body: { multipart: [{ name: params, data: '{"result_extension":".nii.gz"}' }, { name: file, filename: v.nii.gz, data: "\${volume.bytes}" }] }
    response: { unwrap: [{ part: image }, gzip], as: labelmap, measurements: [{ part: params }, json] }`,
  vista3d: `
    url: http://gpu3:8000/v1/vista3d/inference
    health: { get: /v1/health/ready }
    request:
      format: nifti
      compression: gzip
      level: 1
      body: { json: { image: "\${volume.url}", prompts: { classes: [mandible, skull] } } }
    response: { unwrap: [{ zip: "*.n*" }], as: labelmap }`,
  map: `
    url: http://mig:5000/inference
    request:
      format: dicom-zip
      body: { json: { transactionID: "\${job.id}", priority: 128, inputMetadata: { details: { type: DICOM_UID, studies: [{ StudyInstanceUID: "\${study.uid}" }] } }, inputResources: [{ interface: Algorithm, connectionDetails: { name: cbct, id: cbct } }, { interface: Archive, connectionDetails: { uri: "\${volume.url}" } }] } }
    transport:
      poll:
        submit: { post: "", ok: [200, 409] }
        status: { get: "status/\${job.id}", every: 5s, state: { pointer: /status, done: [Completed], failed: [Fail] } }
        result: { get: "result/\${job.id}" }`,
  totalseg: `
    url: http://gpu1:5000/predict_image
    slots: { gpu: 1 }
    request:
      format: nifti
      compression: gzip
      body: { multipart: [{ name: api_key, data: "\${secret:TS_KEY}" }, { name: data_binary, filename: v.nii.gz, data: "\${volume.bytes}" }] }
    response: { unwrap: [{ zip: "*.nii.gz" }], as: { masks: { others: ignore } } }`,
  nninteractive: `
    url: http://gpu1:1527
    params: { first: [1, 1, 1], second: [3, 2, 2] }
    request: { format: npy }
    response: { as: { packedBits: { order: msb } }, failedIf: { pointer: /status, is: [error] } }
    transport:
      steps:
        - { post: /upload_image, body: { multipart: [{ name: file, filename: v.npy, data: "\${volume.bytes}" }] } }
        - { post: /add_bbox_interaction, body: { json: { outer_point_one: "\${param:first}", outer_point_two: "\${param:second}", positive_click: true } } }`,
  cog: `
    url: http://gpu4:5000
    health: { get: /health-check, state: { pointer: /status, ready: [READY], busy: [BUSY] } }
    statuses: { busy: [409] }
    origins: ["http://files.example:9000"]
    request:
      format: nifti
      body: { json: { input: { image: "\${volume.url}" }, webhook: "\${webhook.url}", webhook_events_filter: [completed] } }
    transport:
      webhook:
        submit: { put: "/predictions/\${job.id}", headers: { prefer: respond-async }, ok: [202] }
        state: { pointer: /status, done: [succeeded], failed: [failed, canceled] }
        cancel: { post: "/predictions/\${job.id}/cancel" }
    response: { unwrap: [{ pointer: /output }, fetch], as: labelmap }`,
  azure: `
    url: https://ep.eastus.inference.ml.azure.com/score
    auth: { bearer: "\${secret:AZ_KEY}" }
    statuses: { busy: [429] }
    request:
      format: nifti
      compression: gzip
      body: { json: { input_data: { columns: [image, text], index: [0], data: [["\${volume.base64}", pancreas]] } } }
    response: { unwrap: [{ pointer: /0/nifti_file }, json, { pointer: /data }, base64, gzip], as: labelmap }`,
  sagemaker: `
    url: https://runtime.sagemaker.eu-west-1.amazonaws.com/endpoints/seg/async-invocations
    auth: { sigv4: { service: sagemaker, region: eu-west-1, accessKey: "\${secret:KEY_ID}", secretKey: "\${secret:KEY}" } }
    urlMap: { "s3://in-and-out/": "https://in-and-out.s3.eu-west-1.amazonaws.com/" }
    request: { format: nifti, compression: gzip }
    transport:
      steps:
        - { put: "s3://in-and-out/\${job.id}.nii.gz", service: s3 }
        - { post: "", body: none, headers: { x-amzn-sagemaker-inputlocation: "s3://in-and-out/\${job.id}.nii.gz" }, ok: [202], capture: { out: /OutputLocation, err: /FailureLocation } }
        - { get: "\${out}", every: 5s, failedExists: "\${err}", service: s3 }
    response: { unwrap: [gzip], as: labelmap }`,
  hf: `
    url: https://x.endpoints.huggingface.cloud
    auth: { bearer: "\${secret:HF}" }
    request: { format: nifti, compression: gzip, body: { json: { inputs: "\${volume.base64}" } } }
    response: { unwrap: [{ pointer: /mask }, base64, gzip], as: labelmap }`,
  pull: `
    url: http://gpu5/instances:predict
    request: { format: dicom-zip, body: { json: { instances: [{ series_uri: "\${volume.url}" }] } } }
    response: { unwrap: [{ pointer: /predictions/0/mask }, base64], measurements: [{ pointer: /predictions/0/volumes }] }`,
  worklist: `
    url: http://ai:8042/worklist/
    request: { format: dicom-zip, body: { json: { label: CBCT_AI, input: "\${volume.url}", study: "\${study.uid}", series: "\${series.uid}" } } }
    transport:
      steps:
        - { post: workitems, capture: { uid: /uid } }
        - { get: "workitems/\${uid}", every: 5s, state: { pointer: /state, done: [COMPLETED], failed: [CANCELED] } }
        - { get: "workitems/\${uid}/output" }`,
  path: `
    url: http://gpu1:7000/run
    sharedFolder: { node: /data/jobs, model: /mnt/jobs }
    request: { format: nifti, compression: none, body: { json: { input_path: "\${volume.path}", output_dir: "\${job.dir}" } } }
    response: { unwrap: [{ pointer: /result }, file], as: labelmap }`,
} as const;
