// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/vtk/vtk_widget.h"

#include <vtkActor.h>
#include <vtkCallbackCommand.h>
#include <vtkCamera.h>
#include <vtkGenericOpenGLRenderWindow.h>
#include <vtkInteractorStyleTrackballCamera.h>
#include <vtkNew.h>
#include <vtkPolyDataMapper.h>
#include <vtkProperty.h>
#include <vtkRenderer.h>
#include <vtkRenderWindowInteractor.h>
#include <vtkSphereSource.h>

#include <QApplication>
#include <QHBoxLayout>
#include <QSignalSpy>
#include <QTest>
#include <QWheelEvent>

#include <cmath>
#include <memory>

using namespace tamis::views;

class TstVtkWidget : public QObject {
    Q_OBJECT
    std::unique_ptr<VtkWidget> m_widget;
    vtkRenderer* m_renderer = nullptr;

    /// A green ball on a dark red ground, seen straight on.
    static vtkRenderer* addScene(VtkWidget& widget)
    {
        auto* renderer = widget.addRenderer();
        renderer->SetBackground(0.5, 0, 0);
        vtkNew<vtkSphereSource> ball;
        vtkNew<vtkPolyDataMapper> mapper;
        mapper->SetInputConnection(ball->GetOutputPort());
        vtkNew<vtkActor> actor;
        actor->SetMapper(mapper);
        actor->GetProperty()->SetColor(0, 1, 0);
        actor->GetProperty()->LightingOff();
        renderer->AddActor(actor);
        renderer->ResetCamera();
        vtkNew<vtkInteractorStyleTrackballCamera> style;
        widget.setInteractorStyle(style);
        return renderer;
    }
    static bool isGround(const QImage& picture, const QPoint& at) { return picture.pixelColor(at).red() > 100 && picture.pixelColor(at).green() < 30; }
    static bool isBall(const QImage& picture, const QPoint& at) { return picture.pixelColor(at).green() > 200 && picture.pixelColor(at).red() < 60; }

private slots:
    void init()
    {
        if (!VtkWidget::available())
            QSKIP("no OpenGL 3.2 here");
        m_widget = std::make_unique<VtkWidget>();
        m_renderer = addScene(*m_widget);
        m_widget->resize(300, 200);
        m_widget->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_widget.get()));
        QTRY_VERIFY(m_widget->frames() > 0);
    }
    void cleanup() { m_widget.reset(); }

    void drawsTheScene()
    {
        const QImage picture = m_widget->snapshot();
        const double ratio = m_widget->devicePixelRatioF();
        QCOMPARE(picture.size(), QSize(static_cast<int>(300 * ratio), static_cast<int>(200 * ratio)));
        QVERIFY(isGround(picture, QPoint(4, 4)));
        QVERIFY(isBall(picture, picture.rect().center()));
        QCOMPARE(picture.pixelColor(4, 4).alpha(), 255);
    }

    void followsItsSize()
    {
        m_widget->resize(500, 320);
        const double ratio = m_widget->devicePixelRatioF();
        QTRY_COMPARE(m_widget->renderWindow()->GetSize()[0], static_cast<int>(500 * ratio));
        const QImage picture = m_widget->snapshot();
        QVERIFY(isGround(picture, QPoint(4, 4)));
        QVERIFY(isGround(picture, QPoint(picture.width() - 4, picture.height() - 4)));
        QVERIFY(isBall(picture, picture.rect().center()));
    }

    void manyRequestsMakeOneFrame()
    {
        QTest::qWait(50);
        const qint64 before = m_widget->frames();
        for (int i = 0; i < 50; ++i)
            m_widget->interactor()->Render(); // what styles call
        QCOMPARE(m_widget->frames(), before); // never inside the call
        QTRY_COMPARE(m_widget->frames(), before + 1);
        QTest::qWait(50);
        QCOMPARE(m_widget->frames(), before + 1);
    }

    void aDragTurnsTheCameraAndIsNoClick()
    {
        QSignalSpy clicked(m_widget.get(), &VtkWidget::clicked);
        double before[3];
        m_renderer->GetActiveCamera()->GetPosition(before);
        QTest::mousePress(m_widget.get(), Qt::LeftButton, {}, QPoint(100, 100));
        for (int x = 110; x <= 180; x += 10)
            QTest::mouseMove(m_widget.get(), QPoint(x, 100));
        QTest::mouseRelease(m_widget.get(), Qt::LeftButton, {}, QPoint(180, 100));
        const double* after = m_renderer->GetActiveCamera()->GetPosition();
        QVERIFY(std::abs(after[0] - before[0]) > 0.1);
        QCOMPARE(clicked.size(), 0);
        QTest::mouseClick(m_widget.get(), Qt::LeftButton, {}, QPoint(60, 70));
        QCOMPARE(clicked.size(), 1);
        QCOMPARE(clicked[0][0].toPointF(), QPointF(60, 70));
    }

    void theWheelZooms()
    {
        const double before = m_renderer->GetActiveCamera()->GetDistance();
        const QPointF at(150, 100);
        QWheelEvent wheel(at, m_widget->mapToGlobal(at), {}, QPoint(0, 120), Qt::NoButton, Qt::NoModifier, Qt::NoScrollPhase, false);
        QApplication::sendEvent(m_widget.get(), &wheel);
        QVERIFY(m_renderer->GetActiveCamera()->GetDistance() < before);
    }

    void quitKeysAreSwallowed()
    {
        bool asked = false;
        vtkNew<vtkCallbackCommand> exit;
        exit->SetClientData(&asked);
        exit->SetCallback([](vtkObject*, unsigned long, void* flag, void*) { *static_cast<bool*>(flag) = true; });
        m_widget->interactor()->AddObserver(vtkCommand::ExitEvent, exit);
        QTest::keyClick(m_widget.get(), Qt::Key_Q);
        QTest::keyClick(m_widget.get(), Qt::Key_E);
        QVERIFY(!asked);
        m_widget->interactor()->RemoveObserver(exit);
    }

    void othersRepaintsAreNoFrames()
    {
        QTest::qWait(50);
        const qint64 before = m_widget->frames();
        const QImage picture = m_widget->snapshot();
        QCOMPARE(m_widget->frames(), before + 1);
        for (int i = 0; i < 5; ++i)
            m_widget->repaint(); // as the window does when something beside it changes
        QCOMPARE(m_widget->frames(), before + 1);
        QCOMPARE(m_widget->grab().toImage().convertToFormat(QImage::Format_RGB32), picture.convertToFormat(QImage::Format_RGB32));
    }

    void livesThroughMovesBetweenWindows()
    {
        QWidget first, second;
        for (auto* window : {&first, &second}) {
            auto* row = new QHBoxLayout(window);
            row->setContentsMargins(0, 0, 0, 0);
            window->resize(260, 180);
        }
        for (int i = 0; i < 10; ++i) {
            QWidget& host = i % 2 == 0 ? first : second;
            host.layout()->addWidget(m_widget.get());
            host.show();
            QVERIFY(QTest::qWaitForWindowExposed(&host));
            const qint64 before = m_widget->frames();
            m_widget->scheduleRender();
            QTRY_VERIFY(m_widget->frames() > before);
            const QImage picture = m_widget->snapshot();
            QVERIFY2(isBall(picture, picture.rect().center()), qPrintable(QString::number(i)));
        }
        m_widget->setParent(nullptr);
    }

    void manyAreMadeAndDestroyed()
    {
        for (int i = 0; i < 10; ++i) {
            VtkWidget other;
            addScene(other);
            other.resize(120, 90);
            other.show();
            QVERIFY(QTest::qWaitForWindowExposed(&other));
            QTRY_VERIFY(other.frames() > 0);
        }
        VtkWidget never; // never shown: no OpenGL objects to release
        addScene(never);
    }
};

QTEST_MAIN(TstVtkWidget)
#include "tst_vtk_widget.moc"
