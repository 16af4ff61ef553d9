package dev.sparkmla.text;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class NativeLibraryTest {
  private static final Path FOLDER = Path.of("src", "test", "golden", "deepseek-v3");

  @TempDir private Path temporary;

  /** Opens a tokenizer in a JVM of its own. */
  static final class Other {
    private Other() {}

    public static void main(String[] arguments) {
      try (Tokenizer tokenizer = TextFolder.tokenizer(Path.of(arguments[0]))) {
        System.out.println(Arrays.toString(tokenizer.encodePrompt("river stone")));
      }
    }
  }

  @Test
  void severalJvmsStartAtOnceWithoutAHomeAndLeaveNothingBehind()
      throws IOException, InterruptedException {
    List<Process> processes = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      processes.add(
          new ProcessBuilder(
                  Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                  "-Xmx256m",
                  "-Djava.io.tmpdir=" + temporary,
                  "-Duser.home=" + temporary.resolve("missing"),
                  "-cp",
                  System.getProperty(
                          "surefire.test.class.path", System.getProperty("java.class.path"))
                      .replace(File.pathSeparator + File.pathSeparator, File.pathSeparator),
                  Other.class.getName(),
                  FOLDER.toString())
              .redirectErrorStream(true)
              .start());
    }
    String expected;
    try (Tokenizer tokenizer = TextFolder.tokenizer(FOLDER)) {
      expected = Arrays.toString(tokenizer.encodePrompt("river stone"));
    }
    for (Process process : processes) {
      assertThat(new String(process.getInputStream().readAllBytes(), "UTF-8")).contains(expected);
      assertThat(process.waitFor()).isZero();
    }
    try (Stream<Path> left = Files.list(temporary)) {
      assertThat(left.filter(path -> path.toString().contains("tokenizers"))).isEmpty();
    }
  }

  @ParameterizedTest
  @CsvSource({"Linux,amd64", "Linux,aarch64", "Mac OS X,aarch64"})
  void theJarHasABuildForTheMachinesWeNameInTheDocs(String osName, String osArch) {
    assertThat(
            TokenizersLibrary.class
                .getClassLoader()
                .getResource(NativeLibrary.resource(osName, osArch)))
        .isNotNull();
  }
}
