-- One row a chosen run; every column after the first counts faults (db/integrity.py).
SELECT * FROM (
WITH chosen AS (SELECT id, run_id, n_problems, n_cells FROM run {where}),
p AS (SELECT rp.run_pk, count(rp.problem_digest) AS problems, max(rp.position) + 1 - count(*) AS gaps,
             sum(m.n_solutions * m.n_tests) AS cells, sum(CASE WHEN b.digest IS NULL OR {problem_sha256} = b.sha256 THEN 0 ELSE 1 END) AS damaged
      FROM run_problem rp JOIN chosen r ON r.id = rp.run_pk
      LEFT JOIN pass_matrix m ON m.run_problem_id = rp.id LEFT JOIN problem b ON b.digest = rp.problem_digest GROUP BY rp.run_pk),
handed(position, value) AS ({handed}),
v AS (SELECT x.run_pk, max(x.position) + 1 - count(*) AS gaps, count(*) AS n,
             sum(CASE WHEN x.name = 'cells/total' THEN abs(x.value - r.n_cells) ELSE 0 END) AS total_off,
             sum(CASE WHEN h.position IS NULL OR (x.value IS NULL) <> (h.value IS NULL) OR NOT (
                 x.value = h.value OR x.value IS NULL OR abs(x.value - h.value) <= {tolerance} * abs(h.value)) THEN 1 ELSE 0 END) AS changed
      FROM metric x JOIN chosen r ON r.id = x.run_pk LEFT JOIN handed h ON h.position = x.position GROUP BY x.run_pk)
SELECT r.run_id AS place,
  abs(r.n_problems - coalesce(p.problems, 0)) + abs(coalesce(p.gaps, 0)) AS problems_missing,
  coalesce(p.damaged, 0) AS problems_damaged,
  abs(r.n_cells - coalesce(p.cells, 0)) + coalesce(v.total_off, 0) AS cells_off,
  abs(coalesce(v.gaps, 0)) AS metrics_missing,
  CASE WHEN {compared} THEN coalesce(v.changed, 0) + abs((SELECT count(*) FROM handed) - coalesce(v.n, 0)) ELSE 0 END AS metrics_changed
FROM chosen r LEFT JOIN p ON p.run_pk = r.id LEFT JOIN v ON v.run_pk = r.id
) AS stored
