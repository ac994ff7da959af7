// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/jobs/failure_sentence.h"
#include "core/base/error.h"

#include <QTest>

#include <filesystem>
#include <new>
#include <stdexcept>

using namespace tamis;
using namespace tamis::app;

class TstFailureSentence : public QObject
{
    Q_OBJECT
    template <class E> static std::exception_ptr thrown(E error) { return std::make_exception_ptr(std::move(error)); }

private slots:
    void everyKindIsOneSentence_data()
    {
        QTest::addColumn<std::exception_ptr>("failure");
        QTest::addColumn<QString>("sentence");
        QTest::newRow("ours") << thrown(Error(ErrorCode::MalformedFile, "found 3, expected 4", "a.npy", 10)) << "a.npy: found 3, expected 4 (at byte 10)";
        QTest::newRow("ours, two lines") << thrown(Error(ErrorCode::IoFailure, "is\ngone", "b\tc.bin")) << "b c.bin: is gone";
        QTest::newRow("ours, empty") << thrown(Error(ErrorCode::NonFinite, "")) << "Something failed: non-finite values.";
        QTest::newRow("memory") << thrown(std::bad_alloc()) << "The system has no memory left for this.";
        QTest::newRow("array length") << thrown(std::bad_array_new_length()) << "The system has no memory left for this.";
        QTest::newRow("length") << thrown(std::length_error("vector::reserve")) << "Something unexpected failed: vector::reserve";
        QTest::newRow("standard") << thrown(std::runtime_error("x")) << "Something unexpected failed: x";
        QTest::newRow("standard, empty") << thrown(std::runtime_error("")) << "Something failed without saying what.";
        QTest::newRow("number") << thrown(42) << "Something failed without saying what.";
        QTest::newRow("none") << std::exception_ptr() << "Something failed without saying what.";
    }
    void everyKindIsOneSentence()
    {
        QFETCH(const std::exception_ptr, failure);
        QFETCH(const QString, sentence);
        QCOMPARE(failureSentence(failure), sentence);
    }
    void aFileSystemsReasonStays()
    {
        const auto sentence = failureSentence(thrown(std::filesystem::filesystem_error("cannot copy", "a.bin", std::make_error_code(std::errc::permission_denied))));
        QVERIFY2(sentence.contains("Permission denied") && sentence.contains("a.bin"), qPrintable(sentence));
    }
    void aLongReasonIsCutOff()
    {
        const auto sentence = failureSentence(thrown(std::runtime_error(std::string(100'000, 'x'))));
        QVERIFY(sentence.size() <= 600);
        QVERIFY(sentence.endsWith(QStringLiteral("…")));
    }
    void onlyOurCancellationIsOne()
    {
        QVERIFY(isCancellation(thrown(Error(ErrorCode::Cancelled, "stopped on request"))));
        QVERIFY(!isCancellation(thrown(Error(ErrorCode::IoFailure, "stopped on request"))));
        QVERIFY(!isCancellation(thrown(std::runtime_error("cancelled"))));
        QVERIFY(!isCancellation(thrown(1)));
        QVERIFY(!isCancellation(std::exception_ptr()));
    }
};

QTEST_GUILESS_MAIN(TstFailureSentence)
#include "tst_failure_sentence.moc"
