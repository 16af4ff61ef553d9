package dev.sparkmla.sql;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sparkmla.arrow.ErrorCode;
import dev.sparkmla.arrow.FinishReason;
import dev.sparkmla.arrow.GenerationError;
import dev.sparkmla.arrow.GenerationRequest;
import dev.sparkmla.arrow.GenerationResult;
import dev.sparkmla.arrow.OverflowPolicy;
import dev.sparkmla.arrow.Prompt;
import dev.sparkmla.arrow.TokenLogprobs;
import dev.sparkmla.engine.EngineFailedException;
import dev.sparkmla.text.Message;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.spark.TaskContext;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerTaskEnd;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The operator at work: order, windows, errors, failures, cancellation. */
class OperatorTest {
  @RegisterExtension static final LocalSpark SPARK = new LocalSpark();

  private final EchoGenerator generator = EchoGenerator.INSTANCE;

  @BeforeEach
  void useUsualBatches() {
    SPARK.set(
        Map.of(
            "spark.mla.batch.rows", "64",
            "spark.mla.batch.bytes", "4m",
            "spark.mla.window.bytes", "64m"));
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3})
  void keepsOrderAndWindowWhateverEndsFirst(int seed) throws InterruptedException {
    SPARK.makeTable(100, 1);
    SPARK.set(Map.of("spark.mla.batch.rows", "4"));
    AtomicInteger pending = new AtomicInteger();
    AtomicInteger mostPending = new AtomicInteger();
    LinkedBlockingQueue<Runnable> answers = new LinkedBlockingQueue<>();
    generator.answerWith(
        request -> {
          CompletableFuture<GenerationResult> future = new CompletableFuture<>();
          mostPending.accumulateAndGet(pending.incrementAndGet(), Math::max);
          answers.add(
              () -> {
                pending.decrementAndGet();
                future.complete(EchoGenerator.echo(request));
              });
          return future;
        });
    Thread answering = new Thread(() -> answerInAnyOrder(answers, new Random(seed)));
    answering.start();
    List<Row> rows =
        SPARK.session().sql("select id, llm_generate_text(p) g from t").collectAsList();
    answering.interrupt();
    answering.join();
    assertThat(rows).extracting(row -> row.getLong(0)).isSorted().hasSize(100);
    assertThat(rows).allMatch(row -> row.getString(1).equals("<prompt " + row.getLong(0) + ">"));
    assertThat(mostPending).hasValue(2 * EchoGenerator.SEQUENCES);
  }

  private static void answerInAnyOrder(LinkedBlockingQueue<Runnable> answers, Random random) {
    List<Runnable> waiting = new ArrayList<>();
    try {
      while (waiting.size() < 2 * EchoGenerator.SEQUENCES) {
        waiting.add(answers.take());
      }
      while (true) {
        if (waiting.isEmpty()) {
          waiting.add(answers.take());
        }
        answers.drainTo(waiting);
        waiting.remove(random.nextInt(waiting.size())).run();
      }
    } catch (InterruptedException ended) {
      Thread.currentThread().interrupt();
    }
  }

  @Test
  void fillsBatchesByBytesToo() {
    SPARK.makeTable(10, 1);
    SPARK.set(Map.of("spark.mla.batch.bytes", "1"));
    assertThat(metric(run("select llm_generate(p) g from t"), "batches")).isEqualTo(10);
    SPARK.set(Map.of("spark.mla.batch.bytes", "1m", "spark.mla.batch.rows", "4"));
    assertThat(metric(run("select llm_generate(p) g from t"), "batches")).isEqualTo(3);
  }

  @Test
  void countsOnThePlansNode() {
    SPARK.makeTable(3, 1);
    Dataset<Row> rows = run("select llm_generate(if(id = 1, '', p)) g from t");
    assertThat(metric(rows, "prompts")).isEqualTo(3);
    assertThat(metric(rows, "errors")).isEqualTo(1);
    assertThat(metric(rows, "promptTokens")).isEqualTo(2 * "prompt 0".length());
    assertThat(metric(rows, "cachedTokens")).isEqualTo(2);
    assertThat(metric(rows, "outputTokens")).isEqualTo(4);
  }

  /** Its tokens are in the result, and no engine has read them. */
  @Test
  void doesNotCountTheTokensOfAPromptThatIsTooLong() {
    SPARK.makeTable(2, 1);
    generator.answerWith(
        request ->
            CompletableFuture.completedFuture(
                EchoGenerator.text(request).equals("prompt 0")
                    ? GenerationResult.refused(
                        new GenerationError(ErrorCode.PROMPT_TOO_LONG, "too long"), 1000)
                    : EchoGenerator.echo(request)));
    Dataset<Row> rows = run("select llm_generate(p) g from t");
    assertThat(metric(rows, "promptTokens")).isEqualTo("prompt 1".length());
    assertThat(only("select llm_generate(p).prompt_tokens from t where id = 0").getInt(0))
        .isEqualTo(1000);
  }

  @Test
  void countsTheTimeThatTasksWait() {
    SPARK.makeTable(1, 1);
    generator.answerWith(
        request ->
            CompletableFuture.supplyAsync(
                () -> EchoGenerator.echo(request),
                CompletableFuture.delayedExecutor(500, TimeUnit.MILLISECONDS)));
    assertThat(metric(run("select llm_generate(p) g from t"), "waitTime")).isPositive();
  }

  @Test
  void returnsTheWholeResult() {
    Row result = only("select llm_generate('x y') g").getStruct(0);
    assertThat(result.schema().toDDL())
        .isEqualTo(
            "text STRING,reasoning STRING,finish_reason STRING,prompt_tokens INT,cached_tokens INT,"
                + "output_tokens INT,error STRUCT<code: STRING, message: STRING>");
    assertThat(result.toString()).isEqualTo("[<x y>,null,stop,3,1,2,null]");
  }

  /** The prompt itself as the answer, which ends for {@code reason}. */
  private void answerWithThePrompt(FinishReason reason) {
    generator.answerWith(
        request ->
            CompletableFuture.completedFuture(
                new GenerationResult(
                    EchoGenerator.text(request),
                    Optional.empty(),
                    reason,
                    1,
                    0,
                    1,
                    Optional.empty())));
  }

  @Test
  void givesAnAnswerItsType() {
    answerWithThePrompt(FinishReason.STOP);
    String call = "llm_generate(p, response_format => 'STRUCT<name: STRING, year: INT>')";
    Dataset<Row> rows =
        SPARK
            .session()
            .sql(
                "select g.value.name, g.value.year + 1 next, g.text from (select "
                    + call
                    + " g from values ('{\"name\":\"a\",\"year\":1900}'),"
                    + " ('{\"name\":null,\"year\":7}'), ('{\"name\":'), (null) v(p))");
    assertThat(rows.schema().toDDL()).isEqualTo("name STRING,next INT,text STRING");
    assertThat(rows.collectAsList())
        .extracting(Row::toString)
        .containsExactly(
            "[a,1901,{\"name\":\"a\",\"year\":1900}]",
            "[null,8,{\"name\":null,\"year\":7}]",
            "[null,null,{\"name\":]",
            "[null,null,null]");
    assertThat(generator.requests())
        .allSatisfy(
            request ->
                assertThat(request.params().get("response_format"))
                    .startsWith("{\"type\":\"object\",\"properties\":{\"name\":"));
    assertThat(rows.queryExecution().toString())
        .contains("response_format => 'STRUCT<name: STRING, year: INT>'");
  }

  @Test
  void anAnswerThatIsCutHasNoValueAndNoError() {
    answerWithThePrompt(FinishReason.LENGTH);
    assertThat(
            only("select llm_generate('12', response_format => 'INT', on_error => 'fail') g")
                .getStruct(0)
                .toString())
        .isEqualTo("[12,null,length,1,0,1,null,null]");
    assertThat(
            only("select llm_generate('ye', response_format => 'choice: [\"yes\"]').value g")
                .isNullAt(0))
        .isTrue();
  }

  @Test
  void aTypedAnswersTextIsItsJson() {
    answerWithThePrompt(FinishReason.STOP);
    SPARK.makeTable(1, 1);
    Row row =
        SPARK
            .session()
            .sql(
                "select llm_generate_text(p, response_format => 'ARRAY<INT>') t,"
                    + " llm_generate(p, response_format => 'ARRAY<INT>').value v"
                    + " from (select concat('[', id, ',2]') p from t)")
            .first();
    assertThat(row.getString(0)).isEqualTo("[0,2]");
    assertThat(row.getList(1)).isEqualTo(List.of(0, 2));
    assertThat(generator.requests()).hasSize(1);
  }

  @Test
  void reportsLogProbabilitiesWhereAsked() {
    TokenLogprobs.Candidate a = new TokenLogprobs.Candidate(1, "a", -0.5f);
    TokenLogprobs.Candidate b = new TokenLogprobs.Candidate(2, "b", -1.5f);
    generator.answerWith(
        request ->
            CompletableFuture.completedFuture(
                new GenerationResult(
                    "b",
                    Optional.empty(),
                    FinishReason.STOP,
                    1,
                    0,
                    1,
                    Optional.of(List.of(new TokenLogprobs(b, List.of(a, b)))),
                    Optional.empty())));
    Row result = only("select llm_generate('x', map('logprobs', 2)) g").getStruct(0);
    assertThat(result.schema().toDDL())
        .endsWith(
            ",logprobs ARRAY<STRUCT<id: INT, token: STRING, logprob: FLOAT, top_logprobs:"
                + " ARRAY<STRUCT<id: INT, token: STRING, logprob: FLOAT>>>>");
    assertThat(result.getList(result.fieldIndex("logprobs")))
        .extracting(Object::toString)
        .containsExactly("[2,b,-1.5,ArraySeq([1,a,-0.5], [2,b,-1.5])]");
    assertThat(only("select llm_generate(null, map('logprobs', 2)) g").isNullAt(0)).isTrue();
  }

  @Test
  void variantsStandInLists() {
    Row row =
        only(
            "select llm_generate(cast(id + 5 as string), map('n', 3, 'seed', id),"
                + " response_format => 'regex: .*') g from range(1)");
    assertThat(row.getStruct(0).schema().toDDL())
        .isEqualTo(
            ResultType.ALWAYS.toDDL()
                + ",value STRING,texts ARRAY<STRING>,values ARRAY<STRING>,finish_reasons"
                + " ARRAY<STRING>");
    assertThat(row.getStruct(0).getList(8)).isEqualTo(List.of("<5>", "<5>", "<5>"));
    assertThat(row.getStruct(0).getList(9)).isEqualTo(List.of("<5>", "<5>", "<5>"));
    assertThat(row.getStruct(0).getList(10)).isEqualTo(List.of("stop", "stop", "stop"));
    assertThat(row.getStruct(0).<Integer>getAs("output_tokens")).isEqualTo(6);
    Row error = only("select llm_generate('', map('n', 3)) g").getStruct(0);
    assertThat(error.isNullAt(error.fieldIndex("texts"))).isTrue();
    assertThat(error.isNullAt(error.fieldIndex("finish_reasons"))).isTrue();
  }

  @Test
  void saysARowsErrorInTheRow() {
    assertThat(only("select llm_generate('') g").getStruct(0).toString())
        .isEqualTo("[null,null,error,0,0,0,[EMPTY_PROMPT,the prompt holds no text]]");
    assertThat(only("select llm_generate_text('') g").isNullAt(0)).isTrue();
  }

  @Test
  void returnsNullForARowInErrorWhereAsked() {
    assertThat(only("select llm_generate('', on_error => 'null') g").isNullAt(0)).isTrue();
    assertThat(only("select llm_generate_text('', on_error => 'null') g").isNullAt(0)).isTrue();
  }

  @Test
  void failsOnARowInErrorWhereAsked() {
    assertThatThrownBy(() -> only("select llm_generate('', on_error => 'fail') g"))
        .hasStackTraceContaining("EMPTY_PROMPT: the prompt holds no text");
  }

  @Test
  void returnsNullForANullPrompt() {
    assertThat(only("select llm_generate(null) g").isNullAt(0)).isTrue();
    assertThat(only("select llm_generate(cast(null as string)) g").isNullAt(0)).isTrue();
    assertThat(only("select llm_generate_text(null) g").isNullAt(0)).isTrue();
    assertThat(generator.requests()).isEmpty();
  }

  @Test
  void handsTheArgumentsToTheEngine() {
    only(
        "select llm_generate('x', params => map('max_tokens', '5', 'stop', null), system => 's',"
            + " on_overflow => 'truncate_left') g");
    only("select llm_generate('y', map('top_k', 3)) g");
    only(
        "select llm_generate(array(struct('user' as role, 'a' as content),"
            + " struct('assistant' as role, 'b' as content))) g");
    assertThat(generator.requests())
        .containsExactly(
            new GenerationRequest(
                new Prompt.Raw("x"),
                Optional.of("s"),
                Map.of("max_tokens", "5"),
                OverflowPolicy.TRUNCATE_LEFT),
            new GenerationRequest(
                new Prompt.Raw("y"), Optional.empty(), Map.of("top_k", "3"), OverflowPolicy.ERROR),
            new GenerationRequest(
                new Prompt.Chat(List.of(new Message("user", "a"), new Message("assistant", "b"))),
                Optional.empty(),
                Map.of(),
                OverflowPolicy.ERROR));
  }

  @Test
  void readsMessagesByTheNamesOfTheirFields() {
    assertThat(
            only("select llm_generate_text(array(struct('a' as content, 'user' as role))) g")
                .getString(0))
        .isEqualTo("<user:a>");
  }

  @Test
  void handsOverWhatMessagesHaveBesideTexts() {
    only(
        "select llm_generate(from_json('[{\"role\": \"user\", \"content\": [{\"type\": \"text\","
            + " \"text\": \"a\"}, {\"type\": \"text\", \"text\": \"b\"}], \"name\": \"x\"},"
            + " {\"role\": \"assistant\", \"tool_calls\": [{\"id\": 1}]},"
            + " {\"role\": \"user\", \"content\": [{\"type\": \"image\", \"url\": \"u\"}]}]',"
            + " 'ARRAY<STRUCT<role STRING, name STRING, tool_calls ARRAY<STRUCT<id INT>>,"
            + " content ARRAY<STRUCT<type STRING, text STRING, url STRING>>>>')) g");
    only(
        "select llm_generate(array(named_struct('tool_call_id', cast(7 as bigint), 'role', 'tool',"
            + " 'content', 'c', 'name', cast(null as string)))) g");
    assertThat(generator.requests())
        .extracting(GenerationRequest::prompt)
        .containsExactly(
            new Prompt.Chat(
                List.of(
                    new Message("user", "ab", Optional.of("{\"name\":\"x\"}")),
                    new Message("assistant", null, Optional.of("{\"tool_calls\":[{\"id\":1}]}")),
                    new Message(
                        "user",
                        null,
                        Optional.of("{\"content\":[{\"type\":\"image\",\"url\":\"u\"}]}")))),
            new Prompt.Chat(
                List.of(new Message("tool", "c", Optional.of("{\"tool_call_id\":7}")))));
  }

  @Test
  void handsOverNullMessages() {
    only(
        "select llm_generate(array(struct('user' as role, cast(null as string) as content),"
            + " null)) g");
    assertThat(generator.requests())
        .extracting(GenerationRequest::prompt)
        .containsExactly(
            new Prompt.Chat(List.of(new Message("user", null), new Message(null, null))));
  }

  @Test
  void takesParametersFromColumns() {
    SPARK.makeTable(4, 2);
    run("select llm_generate(p, map('seed', cast(id as string)), concat('s', id)) g from t");
    assertThat(generator.requests())
        .allMatch(
            request -> {
              String id = EchoGenerator.text(request).substring("prompt ".length());
              return request.params().equals(Map.of("seed", id))
                  && request.system().equals(Optional.of("s" + id));
            })
        .hasSize(4);
  }

  @Test
  void failsWithTheEnginesFailure() {
    generator.answerWith(
        request ->
            CompletableFuture.failedFuture(
                new EngineFailedException(new IllegalStateException("the device is lost"))));
    SPARK.makeTable(10, 2);
    assertThatThrownBy(() -> run("select llm_generate(p) g from t"))
        .hasStackTraceContaining(EngineFailedException.class.getName())
        .hasStackTraceContaining("the device is lost");
  }

  @Test
  void giveTheSameRowsWhenATaskRunsAgain() {
    SPARK.makeTable(100, 4);
    SPARK.set(Map.of("spark.mla.batch.rows", "3"));
    AtomicBoolean failed = new AtomicBoolean();
    List<CompletableFuture<GenerationResult>> open =
        Collections.synchronizedList(new ArrayList<>());
    generator.answerWith(
        request -> {
          if (EchoGenerator.text(request).equals("prompt 37")
              && failed.compareAndSet(false, true)) {
            return CompletableFuture.failedFuture(new IllegalStateException("once"));
          }
          if (open.isEmpty() && EchoGenerator.text(request).equals("prompt 33")) {
            open.add(new CompletableFuture<>());
            return open.get(0);
          }
          return CompletableFuture.completedFuture(EchoGenerator.echo(request));
        });
    List<Row> rows =
        SPARK.session().sql("select id, llm_generate_text(p) g from t").collectAsList();
    assertThat(rows).extracting(row -> row.getLong(0)).isSorted().hasSize(100);
    assertThat(failed).isTrue();
    assertThat(open).singleElement().matches(CompletableFuture::isCancelled);
  }

  /** Rows that were answered and not passed on, and one that is not answered, are freed. */
  @Test
  void aRowInErrorThatFailsTheTaskFreesWhatCameAfterIt() {
    SPARK.makeTable(40, 1);
    SPARK.set(Map.of("spark.mla.batch.rows", "2"));
    List<CompletableFuture<GenerationResult>> open =
        Collections.synchronizedList(new ArrayList<>());
    generator.answerWith(
        request -> {
          if (EchoGenerator.text(request).equals("prompt 0")) {
            CompletableFuture<GenerationResult> never = new CompletableFuture<>();
            open.add(never);
            return never;
          }
          return CompletableFuture.completedFuture(
              EchoGenerator.text(request).equals("prompt 3")
                  ? GenerationResult.refused(
                      new GenerationError(ErrorCode.NUMERICAL_ERROR, "no numbers"))
                  : EchoGenerator.echo(request));
        });
    assertThatThrownBy(() -> run("select llm_generate(p, on_error => 'fail') g from t"))
        .hasStackTraceContaining("NUMERICAL_ERROR: no numbers");
    assertThat(open).isNotEmpty().allMatch(CompletableFuture::isCancelled);
  }

  /** The batch that it fills is the task's alone, whoever kills the task meanwhile. */
  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void aTaskThatIsKilledAsItFillsABatchFreesIt(boolean interrupt) throws InterruptedException {
    SPARK.set(Map.of("spark.mla.batch.rows", "4"));
    SparkSession spark = SPARK.session();
    CountDownLatch filling = new CountDownLatch(1);
    CountDownLatch killed = new CountDownLatch(1);
    CountDownLatch ended = new CountDownLatch(1);
    Gate.set(filling, killed);
    spark.udf().register("gate", (UDF1<Long, String>) Gate::pass, DataTypes.StringType);
    SparkListener listener =
        new SparkListener() {
          @Override
          public void onTaskEnd(SparkListenerTaskEnd task) {
            ended.countDown();
          }
        };
    spark.sparkContext().addSparkListener(listener);
    List<CompletableFuture<GenerationResult>> open =
        Collections.synchronizedList(new ArrayList<>());
    generator.answerWith(
        request -> {
          CompletableFuture<GenerationResult> never = new CompletableFuture<>();
          never.whenComplete((result, cancelled) -> killed.countDown());
          open.add(never);
          return never;
        });
    CompletableFuture<Void> query =
        CompletableFuture.runAsync(
            () -> {
              spark.sparkContext().setJobGroup("filling", "a second batch", interrupt);
              run("select llm_generate(gate(id)) g from range(0, 100, 1, 1)");
            });
    filling.await();
    spark.sparkContext().cancelJobGroup("filling");
    assertThatThrownBy(query::join).hasStackTraceContaining("cancelled");
    ended.await();
    spark.sparkContext().removeSparkListener(listener);
    assertThat(open).hasSize(4).allMatch(CompletableFuture::isCancelled);
  }

  /** Holds a task in the middle of its second batch until its first one is cancelled. */
  private static final class Gate {
    private static CountDownLatch reached;
    private static CountDownLatch opened;

    static synchronized void set(CountDownLatch filling, CountDownLatch killed) {
      reached = filling;
      opened = killed;
    }

    static String pass(long id) {
      if (id == 6) {
        reached.countDown();
        boolean interrupted = false;
        while (opened.getCount() > 0) {
          try {
            opened.await();
          } catch (InterruptedException killing) {
            interrupted = true;
          }
        }
        if (interrupted) {
          Thread.currentThread().interrupt();
        }
        TaskContext.get().killTaskIfInterrupted();
      }
      return "prompt " + id;
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void aCancelledJobCancelsWhatIsInFlight(boolean interrupt) throws InterruptedException {
    SPARK.makeTable(20, 2);
    SPARK.set(Map.of("spark.mla.batch.rows", "2"));
    SparkSession spark = SPARK.session();
    CountDownLatch submitted = new CountDownLatch(8);
    CountDownLatch ended = new CountDownLatch(2);
    SparkListener listener =
        new SparkListener() {
          @Override
          public void onTaskEnd(SparkListenerTaskEnd task) {
            ended.countDown();
          }
        };
    spark.sparkContext().addSparkListener(listener);
    List<CompletableFuture<GenerationResult>> futures =
        Collections.synchronizedList(new ArrayList<>());
    generator.answerWith(
        request -> {
          CompletableFuture<GenerationResult> never = new CompletableFuture<>();
          futures.add(never);
          submitted.countDown();
          return never;
        });
    CompletableFuture<Void> query =
        CompletableFuture.runAsync(
            () -> {
              spark.sparkContext().setJobGroup("endless", "never answered", interrupt);
              run("select llm_generate(p) g from t");
            });
    submitted.await();
    spark.sparkContext().cancelJobGroup("endless");
    assertThatThrownBy(query::join).hasStackTraceContaining("cancelled");
    ended.await();
    spark.sparkContext().removeSparkListener(listener);
    assertThat(futures).hasSizeGreaterThanOrEqualTo(8).allMatch(CompletableFuture::isCancelled);
  }

  @Test
  void aLimitThatIsMetCancelsTheRest() {
    SPARK.makeTable(100, 1);
    SPARK.set(Map.of("spark.mla.batch.rows", "3"));
    List<CompletableFuture<GenerationResult>> open =
        Collections.synchronizedList(new ArrayList<>());
    generator.answerWith(
        request -> {
          if (EchoGenerator.text(request).compareTo("prompt 2") < 0) {
            return CompletableFuture.completedFuture(EchoGenerator.echo(request));
          }
          open.add(new CompletableFuture<>());
          return open.get(open.size() - 1);
        });
    assertThat(
            SPARK
                .session()
                .sql(
                    "select id from (select id, llm_generate_text(p) g from t) where g <> '' limit"
                        + " 2")
                .collectAsList())
        .extracting(row -> row.getLong(0))
        .containsExactly(0L, 1L);
    assertThat(open).isNotEmpty().allMatch(CompletableFuture::isCancelled);
    assertThat(generator.requests()).hasSizeLessThanOrEqualTo(2 + 2 * EchoGenerator.SEQUENCES);
  }

  @Test
  void generatesNoMoreThanALimitLeaves() {
    SPARK.makeTable(100, 4);
    assertThat(SPARK.session().sql("select llm_generate(p) g from t limit 3").collectAsList())
        .hasSize(3);
    assertThat(generator.requests()).hasSize(3);
  }

  @Test
  void generatesOnceForACachedTable() {
    SPARK.makeTable(100, 4);
    Dataset<Row> cached = SPARK.session().sql("select id, llm_generate_text(p) g from t").cache();
    assertThat(cached.count()).isEqualTo(100);
    assertThat(cached.filter("g like '%1%'").count()).isEqualTo(19);
    assertThat(SPARK.session().sql("select id, llm_generate_text(p) g from t").collectAsList())
        .hasSize(100);
    assertThat(generator.requests()).hasSize(100);
  }

  @Test
  void generatesOnceForADatasetsFunctions() {
    SPARK.makeTable(100, 4);
    Dataset<Row> texts =
        SPARK
            .session()
            .table("t")
            .withColumn("g", MlaFunctions.llmGenerate(functions.col("p")))
            .select(functions.col("id"), functions.col("g.text"), functions.col("g.error.code"))
            .where(functions.col("code").isNull())
            .repartitionByRange(3, functions.col("text"));
    assertThat(texts.collectAsList()).hasSize(100);
    assertThat(generator.requests()).hasSize(100);
  }

  private static Dataset<Row> run(String query) {
    Dataset<Row> rows = SPARK.session().sql(query);
    rows.collect();
    return rows;
  }

  private static Row only(String query) {
    return SPARK.session().sql(query).collectAsList().get(0);
  }

  private static long metric(Dataset<Row> rows, String name) {
    return Plans.generations(rows).get(0).metrics().apply(name).value();
  }
}
