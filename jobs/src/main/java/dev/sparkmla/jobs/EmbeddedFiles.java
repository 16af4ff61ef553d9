package dev.sparkmla.jobs;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The demo model and the sample documents, which the job carries as resources. They are unpacked
 * when they are first asked for, into a folder that only this user can read. Closing deletes them;
 * so does the end of the JVM. For one thread.
 */
final class EmbeddedFiles implements AutoCloseable {
  /** What people call the model. */
  static final String MODEL_NAME = "embedded demo model";

  /** What the model's folder holds. */
  static final List<String> MODEL_FILES =
      List.of(
          "chat_template.jinja",
          "config.json",
          "generation_config.json",
          "model.safetensors",
          "tokenizer.json",
          "tokenizer_config.json");

  private static final String RESOURCES = "/dev/sparkmla/jobs/demo/";
  private static final String DOCUMENTS = "documents.jsonl";

  private final List<Path> made = new ArrayList<>();
  private Path folder;

  /** The demo model's folder. */
  Path model() {
    return unpacked().resolve("model");
  }

  /** The sample documents: id, document, question, expected, prompt. */
  Path documents() {
    return unpacked().resolve(DOCUMENTS);
  }

  @Override
  public void close() {
    for (int i = made.size() - 1; i >= 0; i--) {
      try {
        Files.deleteIfExists(made.get(i));
      } catch (IOException inUse) {
        // Where a mapped file cannot be deleted, the end of the JVM does it.
      }
    }
  }

  private Path unpacked() {
    if (folder == null) {
      try {
        folder = made(Files.createTempDirectory("spark-mla-demo-"));
        made(Files.createDirectory(folder.resolve("model")));
        for (String file : MODEL_FILES) {
          copy("model/" + file);
        }
        copy(DOCUMENTS);
      } catch (IOException problem) {
        throw new UncheckedIOException(
            "the demo model cannot be unpacked into java.io.tmpdir, "
                + System.getProperty("java.io.tmpdir"),
            problem);
      }
    }
    return folder;
  }

  private void copy(String name) throws IOException {
    try (InputStream resource = EmbeddedFiles.class.getResourceAsStream(RESOURCES + name)) {
      if (resource == null) {
        throw new IllegalStateException("the resource " + RESOURCES + name + " is not in the jar");
      }
      Files.copy(resource, made(folder.resolve(name)));
    }
  }

  private Path made(Path path) {
    made.add(path);
    path.toFile().deleteOnExit();
    return path;
  }
}
