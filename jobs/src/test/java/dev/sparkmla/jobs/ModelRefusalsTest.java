package dev.sparkmla.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A model folder that cannot be used ends the job with one line, which names the file. */
class ModelRefusalsTest {
  private static final Path GOLDEN =
      Path.of("..", "spark-plugin", "src", "test", "golden", "deepseek-v3");
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir Path folder;
  private Path model;

  @BeforeEach
  void copyModel() throws IOException {
    model = Files.createDirectory(folder.resolve("model"));
    try (Stream<Path> files = Files.list(GOLDEN)) {
      for (Path file : files.toList()) {
        Files.copy(file, model.resolve(file.getFileName()));
      }
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "config.json | num_hidden_layers | 1 | model.safetensors: tensor",
        "config.json | eos_token_id | 1000000 | config.json: eos_token_id is 1000000",
        "generation_config.json | eos_token_id | 1000000 | generation_config.json: eos_token_id is",
        "tokenizer_config.json | add_bos_token | 5 | tokenizer_config.json: add_bos_token is 5",
        "tokenizer.json | pre_tokenizer | 5 | tokenizer.json: pre_tokenizer.type is missing",
      })
  void aValueThatCannotBeIsSaidInOneLine(String file, String key, int value, String message)
      throws IOException {
    Path changed = model.resolve(file);
    ObjectNode root =
        Files.exists(changed)
            ? (ObjectNode) JSON.readTree(changed.toFile())
            : JSON.createObjectNode();
    Files.writeString(changed, root.put(key, value).toString());

    assertRefused(message);
  }

  @ParameterizedTest
  @ValueSource(strings = {"chat_template.jinja", "generation_config.json", "tokenizer_config.json"})
  void aLinkToNothingIsSaidInOneLine(String file) throws IOException {
    Files.deleteIfExists(model.resolve(file));
    Files.createSymbolicLink(model.resolve(file), Path.of("nowhere"));

    assertRefused(file + ": is a link to nowhere, which is not there");
  }

  @ParameterizedTest
  @ValueSource(strings = {"model.safetensors", "tokenizer.json"})
  void aPointerOfGitLfsIsSaidInOneLine(String file) throws IOException {
    Files.writeString(
        model.resolve(file), "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n");

    assertRefused(file + ": is a Git LFS pointer");
  }

  @Test
  void aTemplateThatIsNoneIsSaidInOneLine() throws IOException {
    Files.writeString(model.resolve("chat_template.jinja"), "{% for %}");

    assertRefused("chat_template.jinja: is no template");
  }

  @Test
  void aFolderThatIsNotThereIsSaidInOneLine() throws IOException {
    model = folder.resolve("none");

    assertRefused("none': expected a Hugging Face model folder");
  }

  private void assertRefused(String message) throws IOException {
    Path input = Files.writeString(folder.resolve("in.jsonl"), "{\"prompt\": \"one\"}\n");

    JobRun run =
        JobRun.of(
            "--model", model.toString(),
            "--input", input.toString(),
            "--output", folder.resolve("out").toString(),
            "--backend", "cpu");

    assertThat(run.code()).isEqualTo(1);
    List<String> lines = run.err().lines().filter(line -> !line.startsWith("loading ")).toList();
    assertThat(lines).singleElement().asString().startsWith("generate: ").contains(message);
    assertThat(folder.resolve("out")).doesNotExist();
  }
}
