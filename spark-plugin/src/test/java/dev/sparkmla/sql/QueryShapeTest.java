package dev.sparkmla.sql;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every prompt that a query needs is generated once, none that it does not, and the rows are those
 * of the same query with an ordinary expression in the call's place.
 */
class QueryShapeTest {
  @RegisterExtension static final LocalSpark SPARK = new LocalSpark();

  /**
   * A query; {@code {x}} stands for the text generated for x.
   *
   * @param prompts how many are generated
   */
  private record Shape(String name, int prompts, String query) {
    @Override
    public String toString() {
      return name;
    }
  }

  private static final List<Shape> SHAPES =
      List.of(
          new Shape("select", 100, "select id, {p} g from t"),
          new Shape("struct field", 100, "select id, llm_generate(p).text g from t"),
          new Shape(
              "not null outside",
              100,
              "select * from (select id, {p} g from t) where g is not null"),
          new Shape("unused", 0, "select id from (select id, {p} g from t)"),
          new Shape("count star", 0, "select count(*) from (select id, {p} g from t)"),
          new Shape("count of it", 100, "select count(g) from (select id, {p} g from t)"),
          new Shape("filter, call first", 10, "select id from t where length({p}) > 3 and id < 10"),
          new Shape("filter, call last", 10, "select id from t where id < 10 and length({p}) > 3"),
          new Shape("filter above", 10, "select * from (select id, {p} g from t) where id < 10"),
          new Shape(
              "filter on it",
              100,
              "select id, g from (select id, {p} g from t) where g like '%7%' and length(g) > 4"),
          new Shape("where and select", 100, "select id, {p} g from t where length({p}) > 10"),
          new Shape(
              "two filters",
              13,
              "select id from t where id < 11 and {p} like '%1%' and {concat(p, '!')} like '%0%'"),
          new Shape("same call twice", 100, "select {p} a, {p} b, reverse({p}) c from t"),
          new Shape("both functions", 100, "select {p} a, llm_generate(p).text b from t"),
          new Shape("used again above", 100, "select g, {p} h from (select p, {p} g from t)"),
          new Shape(
              "used again above a filter",
              100,
              "select g, {p} h from (select p, {p} g from t) where g like '%5%'"),
          new Shape("two different calls", 200, "select {p} a, {concat(p, '?')} b from t"),
          new Shape(
              "used again above",
              100,
              "select g, {p} h from (select p, {p} g from t) where length({p}) > 3"),
          new Shape(
              "window aggregate of it", 100, "select id, max({p}) over (partition by k) m from t"),
          new Shape(
              "nvl2, nullif", 100, "select nvl2(p, {p}, 'none') a, nullif({p}, 'x') b from t"),
          new Shape("pipe", 100, "select id, p from t |> extend {p} as g |> where g <> 'x'"),
          new Shape(
              "qualify", 100, "select id from t qualify row_number() over (order by {p}) <= 3"),
          new Shape("nested", 200, "select {{p}} g from t"),
          new Shape("group by", 100, "select {p} g, count(*) c from t group by {p}"),
          new Shape(
              "group by alias",
              100,
              "select length(g) l, max(g) m from (select {p} g from t) group by length(g)"),
          new Shape("aggregate argument", 100, "select k, max({p}) m from t group by k"),
          new Shape(
              "aggregate filter",
              10,
              "select k, max({p}) filter (where id < 10) m from t group by k"),
          new Shape(
              "distinct aggregate", 100, "select count(distinct {p}), count(distinct k) from t"),
          new Shape("over an aggregate", 7, "select k, {max(p)} g from t group by k"),
          new Shape(
              "over a group", 7, "select k, {concat('k', k)} g, count(*) c from t group by k"),
          new Shape("below and above", 107, "select k, {max({p})} g from t group by k"),
          new Shape("having", 7, "select k from t group by k having length({max(p)}) > 3"),
          new Shape("distinct", 100, "select distinct {p} g from t"),
          new Shape("order by it", 100, "select id from t order by {p}"),
          new Shape(
              "order by above", 100, "select id, g from (select id, {p} g from t) order by g"),
          new Shape("order by id", 100, "select id, {p} g from t order by id"),
          new Shape("sort local", 100, "select id from t sort by {p}"),
          new Shape("order and limit", 3, "select id, {p} g from t order by id desc limit 3"),
          new Shape(
              "order by it and limit", 100, "select id, {p} g from t order by {p} desc limit 3"),
          new Shape(
              "window over it",
              100,
              "select id, row_number() over (partition by k order by {p}) r from t"),
          new Shape(
              "over a window",
              100,
              "select id, {concat(p, row_number() over (order by id))} g from t"),
          new Shape(
              "join key on a side",
              100,
              "select t.id from t join u on {t.p} = concat('<', u.p, '>')"),
          new Shape(
              "join condition on a side",
              20,
              "select count(*) from t join u on t.id = u.id and length({t.p}) > 3"),
          new Shape(
              "outer join condition",
              20,
              "select t.id, u.id from t left join u on t.id = u.id and length({u.p}) > 3"),
          new Shape(
              "join condition on both sides",
              20,
              "select t.id from t join u on t.id = u.id and length({concat(t.p, u.p)}) > 3"),
          new Shape(
              "join of it",
              20,
              "select a.g, u.id from (select id, {p} g from t) a join u on a.id = u.id"),
          new Shape(
              "self join",
              100,
              "with a as (select id, {p} g from t) select x.g, y.g h from a x join a y on x.id = y.id"),
          new Shape(
              "cte twice",
              100,
              "with a as (select id, {p} g from t) select g from a union all select g from a"),
          new Shape("union", 120, "select {p} g from t union all select {p} g from u"),
          new Shape(
              "call over union",
              120,
              "select {p} g from (select p from t union all select p from u)"),
          new Shape("intersect", 120, "select {p} g from t intersect select {p} from u"),
          new Shape(
              "in subquery",
              20,
              "select id from t where p in (select substring(g, 2, length(g) - 2) from (select {p} g from u))"),
          new Shape(
              "call in subquery's value",
              100,
              "select id from t where {p} in (select concat('<', p, '>') from u)"),
          new Shape(
              "exists",
              20,
              "select id from t where exists (select 1 from u where u.id = t.id and length({u.p}) > 3)"),
          new Shape(
              "scalar subquery", 20, "select id, (select max({p}) from u) m from t where id < 3"),
          new Shape(
              "correlated subquery",
              20,
              "select id, (select max({u.p}) from u where u.id = t.id) m from t"),
          new Shape("case", 5, "select id, case when id < 5 then {p} end g from t"),
          new Shape(
              "case with else",
              15,
              "select id, case when id < 5 then {p} when id < 15 then {concat(p, 'x')} else 'none' end g from t"),
          new Shape(
              "case whose condition is NULL",
              95,
              "select id, case when nullif(id < 5, false) then 'low' else {p} end g from t"),
          new Shape("if", 5, "select if(id < 5, {p}, p) g from t"),
          new Shape("coalesce", 50, "select coalesce(if(id % 2 = 0, p, null), {p}) g from t"),
          new Shape(
              "coalesce of two calls",
              100,
              "select coalesce({if(id % 2 = 0, p, null)}, {concat(p, '+')}) g from t"),
          new Shape(
              "case, needed elsewhere",
              100,
              "select {p} g, case when id < 5 then {p} end h from t"),
          new Shape(
              "case on the call", 100, "select case when length({p}) > 3 then {p} end g from t"),
          new Shape(
              "case in each other's condition",
              10,
              "select case when id < 5 then {p} when id < 10 then {p} end g from t"),
          new Shape("or", 95, "select id, id < 5 or length({p}) > 3 g from t"),
          new Shape("and", 5, "select id, id < 5 and length({p}) > 3 g from t"),
          new Shape(
              "explode", 100, "select id, w from t lateral view explode(split({p}, ' ')) as w"),
          new Shape(
              "explode after",
              100,
              "select id, w, g from (select id, {p} g from t) lateral view explode(array(1, 2)) as w"),
          new Shape("constant", 1, "select id, {'a'} g from t"),
          new Shape("constant in a filter", 1, "select id from t where p < {'q'}"),
          new Shape("constant in an aggregate", 1, "select k, max({'a'}) g from t group by k"),
          new Shape("constant of a constant", 2, "select id, {{'a'}} g from t"),
          new Shape("constant without a table", 1, "select {'a'} g"),
          new Shape("constant and column", 101, "select {concat({'a'}, p)} g from t"),
          new Shape(
              "outer reference in exists",
              100,
              "select id from t where exists (select 1 from u where concat('<', u.p, '>') = {t.p})"),
          new Shape("outer reference alone", 100, "select id, (select {t.p}) g from t"),
          new Shape("lateral", 100, "select id, g from t, lateral (select {t.p} g)"),
          new Shape(
              "order, limit and offset", 5, "select id, {p} g from t order by id limit 3 offset 2"),
          new Shape("inline values", 2, "select {x} g from values ('a'), ('b') v(x)"),
          new Shape("group by all", 100, "select {p} g, sum(id) from t group by all"),
          new Shape(
              "unpivot",
              100,
              "select * from (select id, p, {p} g from t) unpivot (v for n in (p, g))"),
          new Shape(
              "broadcast",
              20,
              "select /*+ broadcast(a) */ a.g, u.p from u left join (select id, {p} g from t) a on a.id = u.id"),
          new Shape(
              "first rows of groups",
              7,
              "select id, {p} g from (select *, row_number() over (partition by k order by id) r from t) where r = 1"),
          new Shape(
              "limit in a subquery",
              20,
              "select id, g from (select id, {p} g from t order by id limit 20) where id >= 0"),
          new Shape("distinct on", 100, "select distinct k, length({p}) from t"),
          new Shape("except", 120, "select {p} g from t except select {p} g from u"),
          new Shape(
              "call on the inner side of exists",
              20,
              "select id from t where exists (select 1 from u where {u.p} = concat('<', t.p, '>'))"),
          new Shape(
              "call on the outer side of in",
              100,
              "select id from t where id in (select id from u where concat('<', u.p, '>') = {t.p})"),
          new Shape(
              "call in not exists",
              100,
              "select id from t where not exists (select 1 from u where concat('<', u.p, '>') = {t.p})"),
          new Shape("null prompts", 50, "select id, {if(id % 2 = 0, p, null)} g from t"),
          new Shape(
              "repartition by range",
              100,
              "select /*+ repartition_by_range(3, g) */ id, g from (select id, {p} g from t)"),
          new Shape(
              "grouping sets",
              100,
              "select k, count(g) from (select k, {p} g from t) group by cube(k)"),
          new Shape(
              "tablesample",
              100,
              "select id, g from (select id, {p} g from t) tablesample (100 percent)"),
          new Shape(
              "pivot",
              100,
              "select * from (select k, {p} g from t) pivot (max(g) for k in (1, 2))"));

  private static final List<Map<String, String>> SETTINGS =
      List.of(
          Map.of("spark.sql.adaptive.enabled", "true", "spark.sql.codegen.wholeStage", "true"),
          Map.of(
              "spark.sql.adaptive.enabled",
              "false",
              "spark.sql.codegen.wholeStage",
              "false",
              "spark.sql.autoBroadcastJoinThreshold",
              "-1",
              "spark.sql.planChangeValidation",
              "true"));

  private static final Map<String, String> USUAL =
      Map.of(
          "spark.sql.adaptive.enabled",
          "true",
          "spark.sql.codegen.wholeStage",
          "true",
          "spark.sql.autoBroadcastJoinThreshold",
          "10m",
          "spark.sql.planChangeValidation",
          "false");

  private static final Map<String, List<String>> EXPECTED = new HashMap<>();

  static Stream<Arguments> shapesInSettings() {
    List<Arguments> all = new ArrayList<>();
    for (Shape shape : SHAPES) {
      for (Map<String, String> settings : SETTINGS) {
        all.add(Arguments.of(shape, settings));
      }
    }
    return all.stream();
  }

  @BeforeAll
  static void makeTables() {
    SparkSession spark = SPARK.session();
    spark.range(0, 100, 1, 2).createOrReplaceTempView("ids");
    spark.sql("select id, concat('prompt ', id) p, id % 7 k from ids").createOrReplaceTempView("t");
    spark.sql("select id, p, k from t where id % 5 = 0").createOrReplaceTempView("u");
  }

  @ParameterizedTest
  @MethodSource("shapesInSettings")
  void generatesEachPromptOnce(Shape shape, Map<String, String> settings) {
    SPARK.set(USUAL);
    SPARK.set(settings);
    List<String> expected = EXPECTED.computeIfAbsent(ordinary(shape.query()), QueryShapeTest::rows);
    List<String> actual = rows(generating(shape.query()));
    assertThat(actual).isEqualTo(expected);
    assertThat(EchoGenerator.INSTANCE.requests()).hasSize(shape.prompts());
  }

  private static List<String> rows(String query) {
    return SPARK.session().sql(query).collectAsList().stream().map(Row::toString).sorted().toList();
  }

  private static String generating(String query) {
    return query.replace("{", "llm_generate_text(").replace("}", ")");
  }

  private static String ordinary(String query) {
    return query
        .replace("llm_generate(p).text", "{p}")
        .replace("{", "concat('<', ")
        .replace("}", ", '>')");
  }
}
