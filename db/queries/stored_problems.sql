-- One row a problem of the chosen runs; every column after the first counts faults (db/integrity.py).
SELECT * FROM (
WITH chosen AS (SELECT id, run_id, layout FROM run {where}),
p AS (SELECT rp.*, r.run_id FROM run_problem rp JOIN chosen r ON r.id = rp.run_pk),
m AS (SELECT pm.*, CASE WHEN {matrix_sha256} = sha256 THEN 0 ELSE 1 END AS damaged
      FROM pass_matrix pm JOIN p ON p.id = pm.run_problem_id),
item AS (SELECT i.set_id, count(*) AS n FROM sample_item i JOIN source s ON s.digest = i.source_digest
         WHERE i.set_id IN (SELECT solution_set_id FROM p UNION SELECT test_set_id FROM p) GROUP BY i.set_id),
sr AS (SELECT x.run_problem_id, count(*) AS n, {sums},
              count(x.correct) AS judged, sum(CASE WHEN x.correct THEN 1 ELSE 0 END) AS correct,
              sum(CASE WHEN x.idx < m.n_solutions AND {total} <> m.n_tests THEN 1 ELSE 0 END) AS off
       FROM solution_result x JOIN p ON p.id = x.run_problem_id LEFT JOIN m ON m.run_problem_id = x.run_problem_id
       GROUP BY x.run_problem_id),
tr AS (SELECT x.run_problem_id, count(*) AS n, {sums}, sum(CASE WHEN {total} <> m.n_solutions THEN 1 ELSE 0 END) AS off
       FROM test_result x JOIN m ON m.run_problem_id = x.run_problem_id GROUP BY x.run_problem_id),
in_matrices AS (SELECT r.id AS run_pk, {task} AS task_id FROM chosen r, {matrices} j),
in_labels AS (SELECT r.id AS run_pk, {task} AS task_id FROM chosen r, {labels} j),
in_rankings AS (SELECT r.id AS run_pk, {task} AS task_id, count(*) AS n FROM chosen r, {rankings} GROUP BY 1, 2),
ranked AS (SELECT s.run_problem_id, count(*) AS n FROM selection s JOIN p ON p.id = s.run_problem_id GROUP BY s.run_problem_id),
beyond AS (SELECT s.run_problem_id, count(*) AS n
           FROM selection s JOIN p ON p.id = s.run_problem_id JOIN sample_set t ON t.id = p.solution_set_id, {indices}
           WHERE {index} < 0 OR {index} >= t.n_items GROUP BY s.run_problem_id),
handed(position, n, m, passed, judged, correct) AS ({handed})
SELECT p.run_id || ' ' || p.task_id AS place,
  CASE WHEN (lm.task_id IS NULL) <> (m.run_problem_id IS NULL) THEN 1 ELSE 0 END AS matrix_missing,
  coalesce(m.damaged, 0) AS matrix_damaged,
  abs(coalesce(m.n_solutions * m.n_tests - ({of_matrix}), 0)) AS uncounted,
  CASE WHEN coalesce(sr.n, 0) < coalesce(m.n_solutions, 0) OR coalesce(sr.n, 0) < coalesce(p.n_labels, 0)
         OR coalesce(tr.n, 0) <> coalesce(m.n_tests, 0) THEN 1 ELSE 0 END AS rows_missing,
  coalesce(sr.off, 0) + coalesce(tr.off, 0) + coalesce({differences}, 0) AS counts_off,
  CASE WHEN coalesce(ss.n_items, 0) <> coalesce(si.n, 0) OR coalesce(ts.n_items, 0) <> coalesce(ti.n, 0)
         OR (m.solution_digests IS NULL AND m.n_solutions <> coalesce(si.n, 0))
         OR (m.test_digests IS NULL AND m.n_tests <> coalesce(ti.n, 0)) THEN 1 ELSE 0 END AS samples_missing,
  CASE WHEN (ll.task_id IS NULL) <> (p.n_labels IS NULL) THEN 1 ELSE 0 END AS labels_missing,
  abs(coalesce(lr.n, 0) - coalesce(ranked.n, 0)) AS rankings_missing,
  coalesce(beyond.n, 0) AS ranked_beyond,
  CASE WHEN {compared} AND (h.position IS NULL OR coalesce(m.n_solutions, 0) <> h.n OR coalesce(m.n_tests, 0) <> h.m
         OR coalesce(m.n_passed, 0) <> h.passed OR coalesce(sr.judged, 0) <> h.judged OR coalesce(sr.correct, 0) <> h.correct)
       THEN 1 ELSE 0 END AS changed
FROM p
LEFT JOIN m ON m.run_problem_id = p.id
LEFT JOIN sr ON sr.run_problem_id = p.id
LEFT JOIN tr ON tr.run_problem_id = p.id
LEFT JOIN sample_set ss ON ss.id = p.solution_set_id LEFT JOIN item si ON si.set_id = ss.id
LEFT JOIN sample_set ts ON ts.id = p.test_set_id LEFT JOIN item ti ON ti.set_id = ts.id
LEFT JOIN in_matrices lm ON lm.run_pk = p.run_pk AND lm.task_id = p.task_id
LEFT JOIN in_labels ll ON ll.run_pk = p.run_pk AND ll.task_id = p.task_id
LEFT JOIN in_rankings lr ON lr.run_pk = p.run_pk AND lr.task_id = p.task_id
LEFT JOIN ranked ON ranked.run_problem_id = p.id
LEFT JOIN beyond ON beyond.run_problem_id = p.id
LEFT JOIN handed h ON h.position = p.position
) AS stored
