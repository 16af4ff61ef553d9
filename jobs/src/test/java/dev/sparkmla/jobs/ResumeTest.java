package dev.sparkmla.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ResumeTest {
  @TempDir Path folder;

  private FaultyJob job;

  @BeforeEach
  void make() throws IOException {
    job = new FaultyJob(folder);
  }

  /**
   * A job that fails several times, wherever that is: every row is there once, in the order of the
   * input, with its own text, and no row is asked for again that was committed. With several slots,
   * a task may commit while its job fails, so that only the texts are certain.
   */
  @ParameterizedTest
  @CsvSource({"jsonl, 1, 1", "csv, 2, 1", "txt, 3, 2"})
  void everyRowIsThereOnceWhereverTheJobFails(String kind, long seed, int slots)
      throws IOException {
    Random random = new Random(seed);
    List<String> prompts = new ArrayList<>();
    for (int file = 0; file < 3; file++) {
      prompts.addAll(write("part" + file + "." + kind, random.nextInt(80) + 1, random));
    }
    String[] master = {"--master", "local[" + slots + "]"};
    int asked = 0;
    for (int run = 0; run < 3; run++) {
      int before = committed();
      JobRun failed =
          run(
              master[0],
              master[1],
              "--resume",
              "--conf",
              FaultyPlugin.AFTER + "=" + (1 + random.nextInt(12)));
      int now = committed();
      if (failed.code() == 0) {
        break;
      }
      assertThat(failed.err()).as("seed %d", seed).contains("a fault was injected");
      assertThat(job.output()).doesNotExist();
      if (slots == 1) {
        assertThat(failed.err().contains(" is kept in ")).isEqualTo(now > 0);
        assertThat(now).isGreaterThanOrEqualTo(before);
      }
      asked = FaultyPlugin.ASKED.size();
      if (run == 1) {
        prompts.addAll(write("part7." + kind, 10, random)); // the folder has grown
      }
    }
    int earlier = committed();

    JobRun last = run(master[0], master[1], "--resume");

    assertThat(last.code()).as(last.err()).isZero();
    assertThat(texts()).as("seed %d", seed).isEqualTo(answers(prompts));
    assertThat(job.output().resolve("_SUCCESS")).exists();
    assertThat(job.unfinished()).doesNotExist();
    if (slots == 1) {
      assertThat(FaultyPlugin.ASKED.size() - asked).isEqualTo(prompts.size() - earlier);
      assertThat(last.out())
          .contains(
              prompts.size() + (earlier > 0 ? ", " + earlier + " of them earlier" : ", none"));
    }
  }

  @Test
  void anUnfinishedOutputIsNeitherReplacedNorDeletedUntilAsked() throws IOException {
    List<String> prompts = write("a.jsonl", 60, new Random(1));
    assertThat(run("--conf", FaultyPlugin.AFTER + "=6").code()).isEqualTo(1);
    int kept = committed();

    JobRun again = run();
    JobRun overwriting = run("--overwrite");
    JobRun both = run("--resume", "--force");
    int keptYet = committed();
    FaultyPlugin.ASKED.clear();
    JobRun over = run("--force");

    assertThat(kept).isPositive();
    assertThat(again.code()).isEqualTo(1);
    assertThat(again.err())
        .contains("is unfinished: a job that ended early has left " + kept + " rows")
        .contains("--resume")
        .contains("--force")
        .doesNotContain("--overwrite")
        .doesNotContain("loading");
    assertThat(overwriting.code()).isEqualTo(1);
    assertThat(both.code()).isEqualTo(2);
    assertThat(keptYet).isEqualTo(kept);
    assertThat(over.code()).as(over.err()).isZero();
    assertThat(FaultyPlugin.ASKED).hasSameSizeAs(prompts);
    assertThat(texts()).isEqualTo(answers(prompts));
  }

  @Test
  void whatOthersHaveWrittenBesideTheOutputStays() throws IOException {
    List<String> prompts = write("a.jsonl", 20, new Random(3));
    Path replaced = Files.createDirectory(folder.resolve("out-replaced"));
    Path other = Files.createDirectory(job.unfinished());
    Files.writeString(other.resolve("notes.txt"), "not a job's");
    Files.writeString(replaced.resolve("notes.txt"), "not a job's");

    for (String option : List.of("--resume", "--force", "--overwrite")) {
      JobRun refused = run(option);
      assertThat(refused.code()).isEqualTo(1);
      assertThat(refused.err()).contains("something is that no job has written");
    }
    Path moved = Files.move(other, folder.resolve("elsewhere"));
    assertThat(run().code()).isZero();
    assertThat(run("--overwrite").code()).isZero();

    assertThat(moved.resolve("notes.txt")).exists();
    assertThat(replaced.resolve("notes.txt")).exists();
    assertThat(texts()).isEqualTo(answers(prompts));
  }

  @Test
  void anInputAmongUnfinishedSlicesStays() throws IOException {
    write("a.jsonl", 60, new Random(4));
    assertThat(run("--conf", FaultyPlugin.AFTER + "=6").code()).isEqualTo(1);
    int kept = committed();

    JobRun refused = job.toFolder(job.unfinished(), "--output-format", "json", "--force");

    assertThat(refused.code()).isEqualTo(1);
    assertThat(refused.err()).contains("is or holds the input");
    assertThat(committed()).isEqualTo(kept).isPositive();
  }

  @Test
  void refusesWhateverDiffersAndNamesIt() throws IOException {
    write("a.jsonl", 60, new Random(2));
    write("b.jsonl", 5, new Random(3));
    assertThat(run("--temperature", "0.5", "--conf", FaultyPlugin.AFTER + "=6").code())
        .isEqualTo(1);

    JobRun setting =
        run(
            "--resume",
            "--temperature",
            "0.7",
            "--stop",
            "x, y",
            "--stop",
            "z",
            "--system",
            "\"\"");
    JobRun missing = run("--resume");
    JobRun backend = run("--resume", "--temperature", "0.5", "--conf", "spark.mla.backend=CPU");
    Path model = copyOfModel();
    JobRun otherModel = run("--resume", "--temperature", "0.5", "--model", model.toString());
    Files.setLastModifiedTime(job.input().resolve("b.jsonl"), FileTime.fromMillis(1));
    JobRun changed = run("--resume", "--temperature", "0.5");
    Files.delete(job.input().resolve("a.jsonl"));
    JobRun gone = run("--resume", "--temperature", "0.5");

    assertThat(setting.err())
        .contains("--temperature was 0.5 and is 0.7")
        .contains("--stop was not given and is \"x, y\" \"z\"")
        .contains("--system was not given and is \"\\\"\\\"\"")
        .contains("; give what differs as it was, or ");
    assertThat(missing.err()).contains("--temperature was 0.5 and is not given");
    assertThat(backend.err()).contains("--backend was not given and is cpu");
    assertThat(otherModel.err()).contains("the model's model.safetensors is another");
    assertThat(changed.err()).contains("b.jsonl has changed");
    assertThat(gone.err()).contains("the input has no file ").contains("a.jsonl any more");
    assertThat(List.of(setting, missing, backend, otherModel, changed, gone))
        .allSatisfy(run -> assertThat(run.code()).isEqualTo(1))
        .allSatisfy(run -> assertThat(run.err()).contains("--force"));
    assertThat(List.of(setting, missing, backend, changed, gone))
        .allSatisfy(run -> assertThat(run.err()).doesNotContain("loading"));
    assertThat(committed()).isPositive();
  }

  @Test
  void aFinishedOutputTakesNewFilesAndElseStaysAsItIs() throws IOException {
    List<String> prompts = write("a.jsonl", 9, new Random(4));
    assertThat(run("--resume").code()).isZero();
    FaultyPlugin.ASKED.clear();

    JobRun same = run("--resume");
    int askedBySame = FaultyPlugin.ASKED.size();
    JobRun other = run("--resume", "--seed", "7");
    Files.delete(job.output().resolve(JobProcess.slices(job.output()).iterator().next()));
    JobRun repaired = run("--resume");
    List<String> afterRepair = texts();
    FaultyPlugin.ASKED.clear();
    prompts.addAll(write("b.jsonl", 1, new Random(5)));
    JobRun failing = run("--resume", "--conf", FaultyPlugin.AFTER + "=0");
    List<String> afterFailure = texts();
    JobRun grown = run("--resume");

    assertThat(same.code()).isZero();
    assertThat(same.out()).contains("is finished already: 9 rows");
    assertThat(askedBySame).isZero();
    assertThat(other.err()).contains("--seed was not given and is 7");
    assertThat(repaired.code()).as(repaired.err()).isZero();
    assertThat(afterRepair).isEqualTo(answers(prompts.subList(0, 9)));
    assertThat(failing.code()).isEqualTo(1);
    assertThat(afterFailure).isEqualTo(answers(prompts.subList(0, 9)));
    assertThat(grown.code()).as(grown.err()).isZero();
    assertThat(FaultyPlugin.ASKED).hasSize(1);
    assertThat(texts()).isEqualTo(answers(prompts));
  }

  @Test
  void refusesNewColumnsWhereTheOutputHasColumns() throws IOException {
    write("a.jsonl", 60, new Random(6));
    assertThat(parquet("--conf", FaultyPlugin.AFTER + "=6").code()).isEqualTo(1);
    Files.writeString(job.input().resolve("b.jsonl"), "{\"prompt\": \"p\", \"new\": 1}\n");

    JobRun run = parquet("--resume");

    assertThat(run.code()).isEqualTo(1);
    assertThat(run.err()).contains("the output's columns are others").contains("new BIGINT");
  }

  @Test
  void saysBeforeTheModelIsLoadedThatNothingCanBeWritten() throws IOException {
    write("a.jsonl", 2, new Random(7));
    Files.createFile(folder.resolve("file"));
    Path readOnly =
        Files.createDirectory(
            folder.resolve("readonly"),
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("r-xr-xr-x")));

    JobRun below = JobRun.echo("--input", job.input().toString(), "--output", folder + "/file/out");
    JobRun denied = JobRun.echo("--input", job.input().toString(), "--output", readOnly + "/out");

    assertThat(below.code()).isEqualTo(1);
    assertThat(below.err()).contains("cannot be written").doesNotContain("loading");
    if (!Files.isWritable(readOnly)) { // Root may write anywhere.
      assertThat(denied.code()).isEqualTo(1);
      assertThat(denied.err()).contains("cannot be written").doesNotContain("loading");
    }
  }

  private JobRun run(String... options) {
    return withFormat("json", options);
  }

  private JobRun parquet(String... options) {
    return withFormat("parquet", options);
  }

  private JobRun withFormat(String format, String... options) {
    return job.toFolder(
        Stream.concat(Stream.of("--output-format", format), Stream.of(options))
            .toArray(String[]::new));
  }

  /** Writes rows of few different prompts, so that many are there several times. */
  private List<String> write(String name, int rows, Random random) throws IOException {
    List<String> prompts = new ArrayList<>();
    StringBuilder text = new StringBuilder(name.endsWith("csv") ? "prompt\n" : "");
    for (int row = 0; row < rows; row++) {
      String prompt = "prompt " + random.nextInt(10);
      prompts.add(prompt);
      text.append(name.endsWith("jsonl") ? "{\"prompt\": \"" + prompt + "\"}" : prompt)
          .append('\n');
    }
    Files.writeString(job.input().resolve(name), text);
    return prompts;
  }

  private Path copyOfModel() throws IOException {
    Path copy = Files.createDirectory(folder.resolve("model"));
    try (Stream<Path> files = Files.list(Path.of("demo-model", "model"))) {
      for (Path file : files.toList()) {
        Files.copy(file, copy.resolve(file.getFileName()));
      }
    }
    byte[] weights = Files.readAllBytes(copy.resolve("model.safetensors"));
    for (int i = weights.length / 2; i < weights.length; i += 64) {
      weights[i] ^= 1;
    }
    Files.write(copy.resolve("model.safetensors"), weights);
    return copy;
  }

  private static List<String> answers(List<String> prompts) {
    return prompts.stream().map(prompt -> "<" + prompt + ">").toList();
  }

  private int committed() throws IOException {
    return Files.exists(job.unfinished()) ? JobRun.rows(job.unfinished()).size() : 0;
  }

  /** The texts of all rows, slice after slice. */
  private List<String> texts() throws IOException {
    List<String> texts = new ArrayList<>();
    for (JsonNode row : JobRun.rows(job.output())) {
      texts.add(row.get("text").asText());
    }
    return texts;
  }
}
