// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/bench/torch_child.h"

#include <QtTest>

#include <chrono>
#include <csignal>
#include <fstream>
#include <thread>

using namespace tamis;

/// The child process with small scripts of its own: none of them needs PyTorch.
class TstTorchChild : public QObject {
    Q_OBJECT

    QTemporaryDir m_folder;
    std::filesystem::path script(const char* text)
    {
        const auto path = std::filesystem::path(m_folder.path().toStdString()) / "script.py";
        std::ofstream(path) << text;
        return path;
    }

private slots:
    void initTestCase()
    {
        if (!std::filesystem::exists("/usr/bin/python3"))
            QSKIP("no /usr/bin/python3");
    }

    void returnsWhatTheScriptPrints()
    {
        std::string whyNot;
        const auto text = bench::runTorch(script("import sys, os\nprint(sys.argv[1:])\nprint(os.environ['OMP_NUM_THREADS'])\n"
                                                 "sys.stderr.write('x' * 200000)\n"), // more than a pipe holds
                                          {"a b", "--c"}, {}, whyNot);
        QVERIFY2(text.has_value(), whyNot.c_str());
        QCOMPARE(QString::fromStdString(*text), QString("['a b', '--c']\n%1\n").arg(threadCount()));
    }

    void saysWhyThereIsNothing_data()
    {
        QTest::addColumn<QByteArray>("text");
        QTest::addColumn<QString>("expected");
        QTest::newRow("no torch") << QByteArray("raise SystemExit(77)") << "no PyTorch";
        QTest::newRow("failure") << QByteArray("print(1)\nraise ValueError('odd shape')") << "script.py failed: ValueError: odd shape";
        QTest::newRow("signal") << QByteArray("import os\nos.kill(os.getpid(), 11)") << "failed by signal 11";
        QTest::newRow("flood") << QByteArray("while True: print('x' * 1000)") << "more than 1 MiB";
    }
    void saysWhyThereIsNothing()
    {
        QFETCH(QByteArray, text);
        QFETCH(QString, expected);
        std::string whyNot;
        QVERIFY(!bench::runTorch(script(text.constData()), {}, {}, whyNot).has_value());
        QVERIFY2(QString::fromStdString(whyNot).contains(expected), whyNot.c_str());
    }

    void aStopEndsTheChild()
    {
        const auto note = std::filesystem::path(m_folder.path().toStdString()) / "pid";
        const auto path = script("import os, sys, time\nwith open(sys.argv[1] + '.part', 'w') as f: f.write(str(os.getpid()))\n"
                                 "os.rename(sys.argv[1] + '.part', sys.argv[1])\ntime.sleep(600)\n");
        std::stop_source stop;
        std::chrono::steady_clock::time_point asked;
        std::jthread stopper([&] {
            while (!std::filesystem::exists(note))
                std::this_thread::sleep_for(std::chrono::milliseconds(5));
            asked = std::chrono::steady_clock::now();
            stop.request_stop();
        });
        std::string whyNot;
        bool cancelled = false;
        try {
            (void)bench::runTorch(path, {note.string()}, RunContext(stop.get_token()), whyNot);
        } catch (const Error& error) {
            cancelled = error.code() == ErrorCode::Cancelled;
        }
        stopper.join();
        QVERIFY(cancelled);
        // The contract says 100 ms; a loaded machine may take its time to schedule us, and far below the child's ten minutes is still a stop.
        QVERIFY(std::chrono::steady_clock::now() - asked < std::chrono::seconds(10));
        pid_t pid = 0;
        std::ifstream(note) >> pid;
        QVERIFY(pid > 0);
        QCOMPARE(::kill(pid, 0), -1); // reaped: the process is gone
    }

    void namesThePlacesOfAMissingScript()
    {
        QVERIFY_EXCEPTION_THROWN(bench::torchScript("bench_torch_nothing.py"), Error);
    }
};

QTEST_APPLESS_MAIN(TstTorchChild)
#include "tst_torch_child.moc"
